// What a gateway looks like when it is put together from Fastify and the official SDK, both sides: a session per client with a
// server transport and a client to the MCP server, tools passed through, a bearer compared by its SHA-256.
//
//   node sdk_gateway.mjs UPSTREAM_URL TOKEN_SHA256_HEX PORT_FILE
import { createHash, randomUUID, timingSafeEqual } from "node:crypto";
import { writeFileSync } from "node:fs";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { Server } from "@modelcontextprotocol/sdk/server/index.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import { CallToolRequestSchema, isInitializeRequest, ListToolsRequestSchema } from "@modelcontextprotocol/sdk/types.js";
import Fastify from "fastify";

const [upstream, sha, portFile] = process.argv.slice(2);
const wanted = Buffer.from(sha, "hex");
const sessions = new Map();

const allowed = (header) =>
  header?.startsWith("Bearer ") && timingSafeEqual(createHash("sha256").update(header.slice(7)).digest(), wanted);

async function open() {
  const client = new Client({ name: "sdk-gateway", version: "1" });
  await client.connect(new StreamableHTTPClientTransport(new URL(upstream)));
  const server = new Server({ name: "sdk-gateway", version: "1" }, { capabilities: { tools: {} } });
  server.setRequestHandler(ListToolsRequestSchema, (request) => client.listTools(request.params));
  server.setRequestHandler(CallToolRequestSchema, (request) => client.callTool(request.params));
  const transport = new StreamableHTTPServerTransport({
    sessionIdGenerator: randomUUID,
    enableJsonResponse: true,
    onsessioninitialized: (id) => sessions.set(id, transport),
  });
  await server.connect(transport);
  return transport;
}

const app = Fastify();
app.post("/mcp", async (request, reply) => {
  if (!allowed(request.headers.authorization)) return reply.code(401).send({ error: "unauthorized" });
  const transport = sessions.get(request.headers["mcp-session-id"]) ?? (isInitializeRequest(request.body) ? await open() : null);
  if (!transport) return reply.code(404).send({ error: "unknown session" });
  reply.hijack();
  await transport.handleRequest(request.raw, reply.raw, request.body);
});
await app.listen({ host: "127.0.0.1", port: 0 });
writeFileSync(portFile, `${app.server.address().port}\n`);
