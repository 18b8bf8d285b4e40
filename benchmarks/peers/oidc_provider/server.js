// npm oidc-provider with its in-memory adapter: client_credentials (JWT, RS256), refresh with rotation, introspection.
// It writes a line of JSON once it listens: its port, and a refresh token of a session that no browser had to begin.
import { generateKeyPairSync } from "node:crypto";
import { createServer } from "node:http";
import Provider from "oidc-provider";

const issuer = "https://id.example", resource = "https://api.example";
const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });

const provider = new Provider(issuer, {
  clients: [
    {
      client_id: "bench",
      client_secret: "bridges-and-harbours",
      grant_types: ["authorization_code", "refresh_token", "client_credentials"],
      redirect_uris: ["https://app.example/callback"],
      response_types: ["code"],
      token_endpoint_auth_method: "client_secret_post",
    },
  ],
  cookies: { keys: ["bench"] },
  jwks: { keys: [{ ...privateKey.export({ format: "jwk" }), alg: "RS256", use: "sig" }] },
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
    introspection: { enabled: true },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: (ctx, indicator) => ({
        scope: "read",
        accessTokenFormat: indicator.endsWith("/jwt") ? "jwt" : "opaque",
        jwt: { sign: { alg: "RS256" } },
      }),
    },
  },
  findAccount: (ctx, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  rotateRefreshToken: true,
  scopes: ["openid", "offline_access", "read"],
  ttl: { AccessToken: 900, ClientCredentials: 900, Grant: 86400, IdToken: 900, RefreshToken: 86400 },
});
provider.proxy = true;

const client = await provider.Client.find("bench");
const grant = new provider.Grant({ accountId: "ann", clientId: "bench" });
grant.addOIDCScope("openid offline_access");
const grantId = await grant.save();
const refresh = new provider.RefreshToken({
  accountId: "ann",
  client,
  grantId,
  gty: "authorization_code",
  scope: "openid offline_access",
  authTime: Math.floor(Date.now() / 1000),
  claims: {},
  sessionUid: "bench",
  rotations: 0,
  iiat: Math.floor(Date.now() / 1000),
});
const token = await refresh.save();

const server = createServer(provider.callback());
server.keepAliveTimeout = 0; // the one connection waits while the others have their turns
server.listen(0, "127.0.0.1", () => console.log(JSON.stringify({ port: server.address().port, refresh_token: token })));
process.stdin.on("end", () => process.exit()).resume();
