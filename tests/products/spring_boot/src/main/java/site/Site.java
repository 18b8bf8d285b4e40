package site;

import java.util.Arrays;
import java.util.Map;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.context.annotation.Bean;
import org.springframework.core.annotation.Order;
import org.springframework.security.config.Customizer;
import org.springframework.security.config.annotation.web.builders.HttpSecurity;
import org.springframework.security.core.annotation.AuthenticationPrincipal;
import org.springframework.security.oauth2.core.oidc.user.OidcUser;
import org.springframework.security.oauth2.jwt.Jwt;
import org.springframework.security.web.SecurityFilterChain;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.RestController;

/** Pages for people who log in, and an API for access tokens. */
@SpringBootApplication
@RestController
public class Site {
    /** Starts it with the classes that are named, beside this one, as its configuration. */
    public static void main(String[] names) throws ClassNotFoundException {
        SpringApplication application = new SpringApplication(Site.class);
        for (String name : names) {
            application.addPrimarySources(Arrays.asList(Class.forName(name)));
        }
        application.run();
    }

    @Bean
    @Order(1)
    SecurityFilterChain api(HttpSecurity http) throws Exception {
        return http.securityMatcher("/notes")
                .authorizeHttpRequests(requests -> requests.anyRequest().hasAuthority("SCOPE_notes:read"))
                .oauth2ResourceServer(server -> server.jwt(Customizer.withDefaults()))
                .build();
    }

    @Bean
    @Order(2)
    SecurityFilterChain pages(HttpSecurity http) throws Exception {
        return http.authorizeHttpRequests(requests -> requests.anyRequest().authenticated())
                .oauth2Login(Customizer.withDefaults())
                .build();
    }

    @GetMapping("/user")
    Map<String, String> user(@AuthenticationPrincipal OidcUser user) {
        return Map.of("name", user.getName(), "email", user.getEmail(), "id_token", user.getIdToken().getTokenValue());
    }

    @GetMapping("/notes")
    Map<String, String> notes(@AuthenticationPrincipal Jwt token) {
        return Map.of("sub", token.getSubject());
    }
}
