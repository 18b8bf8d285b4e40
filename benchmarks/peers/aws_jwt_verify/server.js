// aws-jwt-verify's JwtVerifier, its keys cached. Arguments: a JWK Set and a token. A line of stdin is an operation and a
// number of times; the answer is the seconds of CPU that one took.
import { JwtVerifier } from "aws-jwt-verify";
import { createInterface } from "node:readline";

const [jwks, token] = process.argv.slice(2);
const issuer = "https://id.example";
const verifier = JwtVerifier.create({ issuer, audience: issuer, jwksUri: `${issuer}/.well-known/jwks.json` });
verifier.cacheJwks(JSON.parse(jwks));
console.log("ready");

for await (const line of createInterface({ input: process.stdin })) {
  const times = Number(line.split(" ")[1]);
  const before = process.cpuUsage();
  for (let time = 0; time < times; time++) await verifier.verify(token);
  const { user, system } = process.cpuUsage(before);
  console.log((user + system) / 1e6 / times);
}
