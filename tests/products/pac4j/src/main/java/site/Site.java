package site;

import jakarta.servlet.DispatcherType;
import jakarta.servlet.Filter;
import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.util.EnumSet;
import java.util.Properties;
import java.io.FileReader;
import org.eclipse.jetty.ee10.servlet.FilterHolder;
import org.eclipse.jetty.ee10.servlet.ServletContextHandler;
import org.eclipse.jetty.ee10.servlet.ServletHolder;
import org.eclipse.jetty.server.Server;
import org.pac4j.core.config.Config;
import org.pac4j.core.profile.ProfileManager;
import org.pac4j.core.profile.UserProfile;
import org.pac4j.jee.context.JEEContext;
import org.pac4j.jee.context.session.JEESessionStore;
import org.pac4j.jee.filter.CallbackFilter;
import org.pac4j.jee.filter.SecurityFilter;
import org.pac4j.oidc.client.OidcClient;
import org.pac4j.oidc.config.OidcConfiguration;

/** A page for people who log in. */
public class Site extends HttpServlet {
    /** Serves it on a port, as the file says that is named. */
    public static void main(String[] arguments) throws Exception {
        Properties settings = new Properties();
        try (FileReader reader = new FileReader(arguments[0])) {
            settings.load(reader);
        }
        OidcConfiguration oidc = new OidcConfiguration();
        oidc.setClientId(settings.getProperty("oidc.id"));
        oidc.setSecret(settings.getProperty("oidc.secret"));
        oidc.setDiscoveryURI(settings.getProperty("oidc.discoveryUri"));
        String url = arguments[1];
        Config config = new Config(url + "/callback", new OidcClient(oidc));
        config.setSessionStoreFactory(parameters -> new JEESessionStore());

        ServletContextHandler context = new ServletContextHandler(ServletContextHandler.SESSIONS);
        add(context, new SecurityFilter(config, "OidcClient"), "/user");
        add(context, new CallbackFilter(config, "/user"), "/callback");
        context.addServlet(new ServletHolder(new Site()), "/user");
        Server server = new Server(java.net.InetSocketAddress.createUnresolved("127.0.0.1", java.net.URI.create(url).getPort()));
        server.setHandler(context);
        server.start();
        server.join();
    }

    private static void add(ServletContextHandler context, Filter filter, String path) {
        context.addFilter(new FilterHolder(filter), path, EnumSet.of(DispatcherType.REQUEST));
    }

    @Override
    protected void doGet(HttpServletRequest request, HttpServletResponse response) throws IOException {
        ProfileManager profiles = new ProfileManager(new JEEContext(request, response), new JEESessionStore());
        UserProfile user = profiles.getProfile().orElseThrow();
        response.getWriter().print(user.getAttribute("email"));
    }
}
