package site;

import io.quarkus.oidc.IdToken;
import io.quarkus.oidc.UserInfo;
import io.quarkus.security.Authenticated;
import jakarta.inject.Inject;
import jakarta.ws.rs.GET;
import jakarta.ws.rs.Path;
import org.eclipse.microprofile.jwt.JsonWebToken;

/** A page for people who log in. */
@Path("/user")
@Authenticated
public class Site {
    @Inject
    @IdToken
    JsonWebToken idToken;

    @Inject
    UserInfo userInfo;

    @GET
    public String user() {
        // The hash of an access token tells whether it is a new one.
        return userInfo.getString("email") + " " + idToken.getClaim("at_hash");
    }
}
