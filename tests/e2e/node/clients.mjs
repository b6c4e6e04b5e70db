// An MCP client under remote control: one of the official packages, one connection.
//
//   E2E_TOKEN=… node clients.mjs URL v1|legacy|auto|modern [elicit]
//
// Without a token no header is sent. A URL that ends in /sse is spoken to over HTTP+SSE, by v1; in place of a URL there may
// be a JSON list, the command of a server on stdio, which gets the environment of this process. v1 is
// @modelcontextprotocol/sdk; the others are @modelcontextprotocol/client with that negotiation. Reads one command a line
// from standard input, {"do":"list"} or {"do":"call","tool":…,"arguments":{…}} and the like, and prints one answer a line.
// The first line it prints tells what was negotiated. With `elicit` it declares elicitation and answers every form.
import { createInterface } from 'node:readline';
import * as v2 from '@modelcontextprotocol/client';
import { StdioClientTransport as V2Stdio } from '@modelcontextprotocol/client/stdio';
import { Client as V1Client } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js';
import { StdioClientTransport as V1Stdio } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport as V1Transport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { ElicitRequestSchema, LATEST_PROTOCOL_VERSION } from '@modelcontextprotocol/sdk/types.js';

const [url, flavour, wish] = process.argv.slice(2);
const isV1 = flavour === 'v1';
const info = { name: `e2e-${flavour}`, version: '1' };
const capabilities = wish === 'elicit' ? { elicitation: {} } : {};
const { E2E_TOKEN: token } = process.env;
const transportOptions = token ? { requestInit: { headers: { Authorization: `Bearer ${token}` } } } : {};
const mode = flavour === 'modern' ? { pin: '2026-07-28' } : flavour;

const client = isV1 ? new V1Client(info, { capabilities })
  : new v2.Client(info, { capabilities, versionNegotiation: { mode } });

function transportTo(place) {
  if (place.startsWith('[')) {
    const [command, ...args] = JSON.parse(place);
    return new (isV1 ? V1Stdio : V2Stdio)({ command, args, env: process.env, stderr: 'inherit' });
  }
  if (place.endsWith('/sse')) return new SSEClientTransport(new URL(place));
  return new (isV1 ? V1Transport : v2.StreamableHTTPClientTransport)(new URL(place), transportOptions);
}
const transport = transportTo(url);

let asked = [];
if (wish === 'elicit') {
  client.setRequestHandler(isV1 ? ElicitRequestSchema : 'elicitation/create', async ({ params }) => {
    asked.push(params.message);
    return { action: 'accept', content: { name: 'Ada' } };
  });
}

const commands = {
  async list() {
    const { tools } = await client.listTools();
    return { tools: tools.map((tool) => tool.name) };
  },
  async offers() {
    const { prompts } = await client.listPrompts();
    const { resources } = await client.listResources();
    const { resourceTemplates } = await client.listResourceTemplates();
    return { prompts: prompts.map((one) => one.name), resources: resources.map((one) => one.uri),
             templates: resourceTemplates.map((one) => one.uriTemplate) };
  },
  async read({ uri }) {
    return await client.readResource({ uri });
  },
  async prompt({ name, arguments: args }) {
    return await client.getPrompt({ name, arguments: args });
  },
  async complete({ ref, argument }) {
    return await client.complete({ ref, argument });
  },
  async call({ tool, arguments: args }) {
    const progress = [];
    asked = [];
    const options = { timeout: 60_000, onprogress: (step) => progress.push([step.progress, step.total]) };
    const params = { name: tool, arguments: args ?? {} };
    const result = await (isV1 ? client.callTool(params, undefined, options) : client.callTool(params, options));
    const parts = result.content.map((part) => part.text);
    return { text: parts.join('\n'), parts, isError: result.isError ?? false, progress, asked };
  },
};

const say = (line) => process.stdout.write(JSON.stringify(line) + '\n');
client.onerror = (error) => process.stderr.write(`${error}\n`);

await client.connect(transport);
const version = isV1 ? transport.protocolVersion ?? LATEST_PROTOCOL_VERSION : client.getNegotiatedProtocolVersion();
say({ version, session: transport.sessionId });
for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line);
  try {
    say(await commands[command.do](command));
  } catch (error) {
    say({ failed: String(error) });
  }
}
await client.close();
