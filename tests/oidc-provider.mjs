// An OpenID Connect provider that asks nobody for a password: whoever comes is
// the person named in the file. For examples/proxy/oidc.conf.
//
//   node oidc-provider.mjs PORT FILE
import { createHash, createSign, generateKeyPairSync, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';

const [port, file] = process.argv.slice(2);
const issuer = `http://127.0.0.1:${port}`;
const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const codes = new Map();
const base64 = (x) => Buffer.from(x).toString('base64url');

function token(claims) {
  const now = Math.floor(Date.now() / 1000);
  const text = [{ alg: 'RS256', typ: 'JWT', kid: 'k' }, { iss: issuer, iat: now, exp: now + 600, ...claims }]
    .map((x) => base64(JSON.stringify(x))).join('.');
  return `${text}.${createSign('RSA-SHA256').update(text).sign(privateKey).toString('base64url')}`;
}

const routes = {
  '/.well-known/openid-configuration': () => ({
    issuer, authorization_endpoint: `${issuer}/authorize`, token_endpoint: `${issuer}/token`, jwks_uri: `${issuer}/jwks`,
    response_types_supported: ['code'], subject_types_supported: ['public'], id_token_signing_alg_values_supported: ['RS256'],
    token_endpoint_auth_methods_supported: ['client_secret_basic'],
  }),
  '/jwks': () => ({ keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'k', alg: 'RS256', use: 'sig' }] }),
  '/authorize': (q, answer) => {
    const code = randomBytes(16).toString('hex');
    codes.set(code, { nonce: q.get('nonce'), email: readFileSync(file, 'utf8').trim(), aud: q.get('client_id') });
    const to = new URL(q.get('redirect_uri'));
    to.searchParams.set('code', code);
    to.searchParams.set('state', q.get('state'));
    answer.writeHead(302, { Location: to.href }).end();
  },
  '/token': (q) => {
    const { nonce, email, aud } = codes.get(q.get('code')) || {};
    codes.delete(q.get('code'));
    if (!email) return { error: 'invalid_grant' };
    const sub = createHash('sha256').update(email).digest('hex');
    return { access_token: randomBytes(16).toString('hex'), token_type: 'Bearer', expires_in: 600, id_token: token({ sub, aud, nonce, email }) };
  },
};

createServer((request, answer) => {
  const url = new URL(request.url, issuer);
  let body = '';
  request.on('data', (text) => { body += text; }).on('end', () => {
    const route = routes[url.pathname];
    if (!route) return answer.writeHead(404).end();
    const said = route(body ? new URLSearchParams(body) : url.searchParams, answer);
    if (said) answer.setHeader('Content-Type', 'application/json').end(JSON.stringify(said));
  });
}).listen(+port, '127.0.0.1', () => console.log('ready'));
