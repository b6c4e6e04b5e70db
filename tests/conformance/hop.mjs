// Stands between the conformance suite, which cannot send a credential, and the gateway, which wants one.
//
//   E2E_TOKEN=… node hop.mjs GATEWAY-URL      prints "listening on 127.0.0.1:PORT"; the endpoint is /mcp
//
// It adds the bearer, and puts the gateway's Host in the place of its own, and so for an Origin that is its own. Forged ones
// go through as they are: judging them is the gateway's part. It streams both ways, and closes towards the gateway when
// the client closes.
import { createServer, request } from 'node:http';

const gateway = new URL(process.argv[2]);
const hopByHop = new Set(['connection', 'keep-alive', 'transfer-encoding', 'te', 'trailer', 'upgrade']);
const relayed = (headers) => Object.fromEntries(Object.entries(headers).filter(([name]) => !hopByHop.has(name)));

const server = createServer((req, res) => {
  const own = [`127.0.0.1:${server.address().port}`, `localhost:${server.address().port}`];
  const headers = { ...relayed(req.headers), authorization: `Bearer ${process.env.E2E_TOKEN}` };
  if (own.includes(headers.host)) headers.host = gateway.host;
  if (own.some((host) => headers.origin === `http://${host}`)) headers.origin = gateway.origin;
  const out = request(gateway, { method: req.method, headers }, (answer) => {
    res.writeHead(answer.statusCode, relayed(answer.headers));
    res.flushHeaders();
    answer.on('error', () => res.destroy());
    answer.pipe(res);
  });
  out.on('error', () => (res.headersSent ? res.destroy() : res.writeHead(502).end()));
  res.on('close', () => out.destroy());
  req.pipe(out);
});
server.listen(0, '127.0.0.1', () => console.log(`listening on 127.0.0.1:${server.address().port}`));
