package site;

import com.nimbusds.oauth2.sdk.*;
import com.nimbusds.oauth2.sdk.auth.*;
import com.nimbusds.oauth2.sdk.http.HTTPResponse;
import com.nimbusds.oauth2.sdk.id.*;
import com.nimbusds.oauth2.sdk.pkce.*;
import com.nimbusds.oauth2.sdk.token.*;
import com.nimbusds.openid.connect.sdk.*;
import com.nimbusds.openid.connect.sdk.op.OIDCProviderMetadata;
import com.nimbusds.openid.connect.sdk.rp.*;
import com.nimbusds.openid.connect.sdk.token.OIDCTokens;
import com.nimbusds.openid.connect.sdk.validators.IDTokenValidator;
import java.io.*;
import java.net.URI;
import java.util.*;

/** A client that does one thing after the other: the name of each, and what it came to, is a line of its output. */
public class Site {
    private static final BufferedReader BROWSER = new BufferedReader(new InputStreamReader(System.in));

    /** Its settings are a file; a URL that it prints after "visit" is answered with the one that the browser came back to. */
    public static void main(String[] arguments) throws Exception {
        Properties settings = new Properties();
        try (FileReader reader = new FileReader(arguments[0])) {
            settings.load(reader);
        }
        OIDCProviderMetadata server = OIDCProviderMetadata.resolve(new Issuer(settings.getProperty("issuer")));
        ClientID id = new ClientID(settings.getProperty("client_id"));
        ClientAuthentication secret = new ClientSecretBasic(id, new Secret(settings.getProperty("client_secret")));
        URI redirect = URI.create(settings.getProperty("redirect_uri"));

        OIDCTokens first = login(server, id, secret, redirect);
        OIDCTokens tokens = redeem(server, secret, new RefreshTokenGrant(first.getRefreshToken()));
        say("refresh", tokens.getIDToken().getJWTClaimsSet().getSubject());
        UserInfoRequest userInfo = new UserInfoRequest(server.getUserInfoEndpointURI(), tokens.getBearerAccessToken());
        UserInfoResponse user = UserInfoResponse.parse(userInfo.toHTTPRequest().send());
        say("userinfo", user.toSuccessResponse().getUserInfo().getEmailAddress());
        say("introspection", active(server, secret, tokens.getAccessToken()));
        new TokenRevocationRequest(server.getRevocationEndpointURI(), secret, tokens.getRefreshToken()).toHTTPRequest().send();
        say("introspection after revocation", active(server, secret, tokens.getAccessToken()));
        say("registration", register(server, arguments[1]));
    }

    private static OIDCTokens login(OIDCProviderMetadata server, ClientID id, ClientAuthentication secret, URI redirect)
            throws Exception {
        CodeVerifier verifier = new CodeVerifier();
        Nonce nonce = new Nonce();
        AuthenticationRequest request = new AuthenticationRequest.Builder(
                        new ResponseType("code"), new Scope("openid", "email", "offline_access"), id, redirect)
                .endpointURI(server.getAuthorizationEndpointURI())
                .state(new State())
                .nonce(nonce)
                .codeChallenge(verifier, CodeChallengeMethod.S256)
                .build();
        PushedAuthorizationResponse pushed = PushedAuthorizationResponse.parse(new PushedAuthorizationRequest(
                        server.getPushedAuthorizationRequestEndpointURI(), secret, request)
                .toHTTPRequest()
                .send());
        AuthenticationRequest sent = new AuthenticationRequest.Builder(pushed.toSuccessResponse().getRequestURI(), id)
                .endpointURI(server.getAuthorizationEndpointURI())
                .build();
        System.out.println("visit " + sent.toURI());
        AuthenticationSuccessResponse back =
                AuthenticationResponseParser.parse(URI.create(BROWSER.readLine())).toSuccessResponse();
        if (!request.getState().equals(back.getState()) || !server.getIssuer().equals(back.getIssuer())) {
            throw new IllegalStateException("an answer to something else");
        }
        OIDCTokens tokens =
                redeem(server, secret, new AuthorizationCodeGrant(back.getAuthorizationCode(), redirect, verifier));
        new IDTokenValidator(server.getIssuer(), id, com.nimbusds.jose.JWSAlgorithm.RS256, server.getJWKSetURI().toURL())
                .validate(tokens.getIDToken(), nonce);
        say("login", tokens.getIDToken().getJWTClaimsSet().getSubject());
        return tokens;
    }

    private static OIDCTokens redeem(OIDCProviderMetadata server, ClientAuthentication secret, AuthorizationGrant grant)
            throws Exception {
        HTTPResponse answer = new TokenRequest(server.getTokenEndpointURI(), secret, grant).toHTTPRequest().send();
        return (OIDCTokens) OIDCTokenResponseParser.parse(answer).toSuccessResponse().getTokens();
    }

    private static boolean active(OIDCProviderMetadata server, ClientAuthentication secret, AccessToken token)
            throws Exception {
        HTTPResponse answer = new TokenIntrospectionRequest(server.getIntrospectionEndpointURI(), secret, token)
                .toHTTPRequest()
                .send();
        return TokenIntrospectionResponse.parse(answer).toSuccessResponse().isActive();
    }

    private static String register(OIDCProviderMetadata server, String token) throws Exception {
        OIDCClientMetadata metadata = new OIDCClientMetadata();
        metadata.setRedirectionURI(URI.create("https://site.example/callback"));
        metadata.applyDefaults();
        HTTPResponse answer = new OIDCClientRegistrationRequest(
                        server.getRegistrationEndpointURI(), metadata, new BearerAccessToken(token))
                .toHTTPRequest()
                .send();
        return ((OIDCClientInformationResponse) OIDCClientRegistrationResponseParser.parse(answer))
                .getOIDCClientInformation()
                .getOIDCMetadata()
                .getApplicationType()
                .toString();
    }

    private static void say(String what, Object outcome) {
        System.out.println(what + ": " + outcome);
    }
}
