// node authorization_server.mjs <PEM file with certificate and key> <client as JSON> <seconds> <claims as JSON>
// The npm package oidc-provider, which is certified by the OpenID Foundation, with its own pages
// for login and consent. Access tokens live for these seconds, ID tokens have these claims of
// everybody. It prints its issuer once it listens.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import Provider from 'oidc-provider';

const pem = readFileSync(process.argv[2]);
const claims = JSON.parse(process.argv[5]);
const server = createServer({ cert: pem, key: pem });
server.listen(0, '127.0.0.1', () => {
  const issuer = `https://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, {
    clients: [JSON.parse(process.argv[3])],
    claims: { openid: ['sub', ...Object.keys(claims)] },
    conformIdTokenClaims: false,
    findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, ...claims }) }),
    features: { revocation: { enabled: true } },
    pkce: { required: () => true },
    // Always, and one that is used twice ends the grant.
    rotateRefreshToken: () => true,
    ttl: { AccessToken: Number(process.argv[4]) },
    cookies: { keys: ['of-tests'] },
  });
  server.on('request', provider.callback());
  console.log(issuer);
});
