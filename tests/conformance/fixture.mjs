// The server behind the gateway when the official conformance suite runs: it has every tool, resource and prompt that the
// suite's server scenarios ask for by name, in both eras, on loopback.
//
//   modern (2026-07-28): createMcpHandler, one fresh Server per request
//   legacy (<= 2025-11-25): Streamable HTTP with sessions, event store, retry and DELETE
//
//   node fixture.mjs      prints "listening on 127.0.0.1:PORT"; the endpoint is /mcp
import { createServer } from 'node:http';
import { createHmac, randomBytes, randomUUID, timingSafeEqual } from 'node:crypto';
import { deflateSync, crc32 as zlibCrc32 } from 'node:zlib';
import {
  Server, ProtocolError, ProtocolErrorCode, createMcpHandler, isInitializeRequest, isLegacyRequest,
} from '@modelcontextprotocol/server';
import {
  NodeStreamableHTTPServerTransport, localhostHostValidation, localhostOriginValidation,
  toNodeHandler, toWebRequest,
} from '@modelcontextprotocol/node';

const MAX_BODY = 4 * 1024 * 1024;

// ---------------------------------------------------------------- sample media (generated, not copied)
function crc32(buffer) {
  if (zlibCrc32) return zlibCrc32(buffer);
  let crc = ~0;
  for (const byte of buffer) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (0xedb88320 & -(crc & 1));
  }
  return ~crc >>> 0;
}
function pngChunk(type, data) {
  const body = Buffer.concat([Buffer.from(type, 'ascii'), data]);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(data.length);
  const check = Buffer.alloc(4);
  check.writeUInt32BE(crc32(body) >>> 0);
  return Buffer.concat([length, body, check]);
}
function onePixelPng() {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(1, 0);
  header.writeUInt32BE(1, 4);
  header.set([8, 2, 0, 0, 0], 8); // 8-bit RGB
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  const pixels = deflateSync(Buffer.from([0, 255, 0, 0]));
  return Buffer.concat([signature, pngChunk('IHDR', header), pngChunk('IDAT', pixels), pngChunk('IEND', Buffer.alloc(0))]);
}
function silentWav(samples = 8) {
  const data = Buffer.alloc(samples * 2);
  const head = Buffer.alloc(44);
  head.write('RIFF', 0); head.writeUInt32LE(36 + data.length, 4); head.write('WAVEfmt ', 8);
  head.writeUInt32LE(16, 16); head.writeUInt16LE(1, 20); head.writeUInt16LE(1, 22);
  head.writeUInt32LE(8000, 24); head.writeUInt32LE(16000, 28); head.writeUInt16LE(2, 32); head.writeUInt16LE(16, 34);
  head.write('data', 36); head.writeUInt32LE(data.length, 40);
  return Buffer.concat([head, data]);
}
const PNG = onePixelPng().toString('base64');
const WAV = silentWav().toString('base64');

// ---------------------------------------------------------------- small helpers
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const text = (value) => ({ type: 'text', text: value });
const resource = (uri, mimeType, value) => ({ type: 'resource', resource: { uri, mimeType, text: value } });
const image = () => ({ type: 'image', data: PNG, mimeType: 'image/png' });
const say = (...values) => ({ content: values.map(text) });
const user = (content) => ({ role: 'user', content });
const NO_ARGS = { type: 'object', properties: {} };
const needs = (...names) => ({
  type: 'object',
  properties: Object.fromEntries(names.map((name) => [name, { type: 'string' }])),
  required: names,
});
const invalid = (message, data) => new ProtocolError(ProtocolErrorCode.InvalidParams, message, data);

// requestState: payload + HMAC; a token that does not verify is refused with -32602.
const STATE_KEY = randomBytes(32);
const mac = (body) => createHmac('sha256', STATE_KEY).update(body).digest();
function sealState(payload) {
  const body = Buffer.from(JSON.stringify(payload));
  return `${body.toString('base64url')}.${mac(body).toString('base64url')}`;
}
function openState(token) {
  const [body, tag, ...rest] = String(token).split('.');
  const raw = Buffer.from(body ?? '', 'base64url');
  const given = Buffer.from(tag ?? '', 'base64url');
  const want = mac(raw);
  // Re-encode so that trailing junk ignored by the base64 decoder is refused too.
  if (rest.length || given.length !== want.length || !timingSafeEqual(given, want) || given.toString('base64url') !== tag)
    throw invalid('requestState failed verification');
  return JSON.parse(raw.toString());
}

const elicit = (message, requestedSchema) => ({ method: 'elicitation/create', params: { mode: 'form', message, requestedSchema } });
const sample = (prompt, maxTokens) => ({ method: 'sampling/createMessage', params: { messages: [user(text(prompt))], maxTokens } });
const roots = () => ({ method: 'roots/list' });
const ask = (inputRequests, state) => ({
  resultType: 'input_required',
  inputRequests,
  ...(state === undefined ? {} : { requestState: sealState(state) }),
});
const answers = (ctx) => ctx.mcpReq.inputResponses ?? {};
const accepted = (ctx, key) => {
  const answer = answers(ctx)[key];
  return answer && answer.action === 'accept' && answer.content && typeof answer.content === 'object' ? answer.content : undefined;
};
const state = (ctx) => ctx.mcpReq.requestState();
const declared = (ctx) => ctx.mcpReq.envelope?.['io.modelcontextprotocol/clientCapabilities'];

// ---------------------------------------------------------------- tools
const ENUM_SCHEMA = {
  type: 'object',
  properties: {
    untitledSingle: { type: 'string', enum: ['option1', 'option2', 'option3'] },
    titledSingle: { type: 'string', oneOf: ['First', 'Second', 'Third'].map((n, i) => ({ const: `value${i + 1}`, title: `${n} Option` })) },
    legacyEnum: { type: 'string', enum: ['opt1', 'opt2', 'opt3'], enumNames: ['Option One', 'Option Two', 'Option Three'] },
    untitledMulti: { type: 'array', items: { type: 'string', enum: ['option1', 'option2', 'option3'] } },
    titledMulti: {
      type: 'array',
      items: { anyOf: ['First', 'Second', 'Third'].map((n, i) => ({ const: `value${i + 1}`, title: `${n} Choice` })) },
    },
  },
  required: [],
};
const DEFAULTS_SCHEMA = {
  type: 'object',
  properties: {
    name: { type: 'string', default: 'John Doe' },
    age: { type: 'integer', default: 30 },
    score: { type: 'number', default: 95.5 },
    status: { type: 'string', enum: ['active', 'inactive', 'pending'], default: 'active' },
    verified: { type: 'boolean', default: true },
  },
  required: [],
};
const SCHEMA_2020_12 = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  type: 'object',
  $defs: { address: { $anchor: 'addressDef', type: 'object', properties: { street: { type: 'string' }, city: { type: 'string' } } } },
  properties: {
    name: { type: 'string' },
    address: { $ref: '#/$defs/address' },
    contactMethod: { type: 'string', enum: ['phone', 'email'] },
    phone: { type: 'string' },
    email: { type: 'string' },
  },
  allOf: [{ anyOf: [{ required: ['phone'] }, { required: ['email'] }] }],
  if: { properties: { contactMethod: { const: 'phone' } }, required: ['contactMethod'] },
  then: { required: ['phone'] },
  else: { required: ['email'] },
  additionalProperties: false,
};
const nameSchema = needs('name');
const okSchema = { type: 'object', properties: { ok: { type: 'boolean' } }, required: ['ok'] };

// One elicitation, then a sentence built from the answer. Serves both eras (the SDK turns the
// input_required result into a real server-to-client request on a legacy session).
const elicitOnce = (key, message, schema) => (args, ctx) => {
  const answer = answers(ctx)[key];
  if (!answer) return ask({ [key]: elicit(typeof message === 'function' ? message(args) : message, schema) });
  return say(`Elicitation completed: action=${answer.action}, content=${JSON.stringify(answer.content ?? {})}`);
};

const TOOLS = {
  test_simple_text: { run: () => say('This is a simple text response for testing.') },
  test_image_content: { run: () => ({ content: [image()] }) },
  test_audio_content: { run: () => ({ content: [{ type: 'audio', data: WAV, mimeType: 'audio/wav' }] }) },
  test_embedded_resource: {
    run: () => ({ content: [resource('test://embedded-resource', 'text/plain', 'This is an embedded resource content.')] }),
  },
  test_multiple_content_types: {
    run: () => ({
      content: [
        text('Multiple content types test:'), image(),
        resource('test://mixed-content-resource', 'application/json', '{"test":"data","value":123}'),
      ],
    }),
  },
  test_tool_with_logging: {
    async run(_args, ctx) {
      await ctx.mcpReq.log('info', 'Tool execution started');
      await wait(50);
      await ctx.mcpReq.log('info', 'Tool processing data');
      await wait(50);
      await ctx.mcpReq.log('info', 'Tool execution completed');
      return say('logging done');
    },
  },
  test_tool_with_progress: {
    async run(_args, ctx) {
      const progressToken = ctx.mcpReq._meta?.progressToken;
      for (const progress of [0, 50, 100]) {
        if (progress) await wait(50);
        if (progressToken !== undefined)
          await ctx.mcpReq.notify({ method: 'notifications/progress', params: { progressToken, progress, total: 100 } });
      }
      return say('progress done');
    },
  },
  test_error_handling: { run: () => ({ isError: true, ...say('This tool intentionally returns an error for testing') }) },
  test_sampling: {
    inputSchema: needs('prompt'),
    run(args, ctx) {
      const reply = answers(ctx).llm;
      if (!reply) return ask({ llm: sample(args.prompt, 100) });
      return say(`LLM response: ${reply.content?.text ?? JSON.stringify(reply.content)}`);
    },
  },
  test_elicitation: {
    inputSchema: needs('message'),
    run: elicitOnce('reply', (args) => args.message, {
      type: 'object',
      properties: {
        username: { type: 'string', description: "User's response" },
        email: { type: 'string', description: "User's email address" },
      },
      required: ['username', 'email'],
    }),
  },
  test_elicitation_sep1034_defaults: { run: elicitOnce('form', 'Please review the defaults', DEFAULTS_SCHEMA) },
  test_elicitation_sep1330_enums: { run: elicitOnce('form', 'Please pick from every enum style', ENUM_SCHEMA) },
  json_schema_2020_12_tool: {
    description: 'Tool with JSON Schema 2020-12 features',
    inputSchema: SCHEMA_2020_12,
    run: (args) => say(JSON.stringify(args)),
  },
  test_reconnection: {
    async run(_args, ctx) {
      ctx.http?.closeSSE?.(); // legacy sessions only: drop the stream, the client polls it back with Last-Event-ID
      await wait(100);
      return say('reconnected');
    },
  },
  // --- 2026-07-28 diagnostics
  test_missing_capability: {
    run: (_args, ctx) => (answers(ctx).llm ? say('sampled') : ask({ llm: sample('Reply with one word', 16) })),
  },
  test_streaming_elicitation: {
    run: (_args, ctx) => (accepted(ctx, 'user_name') ? say('done') : ask({ user_name: elicit('Your name?', nameSchema) })),
  },
  test_logging_tool: {
    async run(_args, ctx) {
      await ctx.mcpReq.log('info', 'only delivered when the request asked for logs');
      return say('logged');
    },
  },
  test_trigger_tool_change: { run: () => (announce('tools'), say('tools list_changed sent')) },
  test_trigger_prompt_change: { run: () => (announce('prompts'), say('prompts list_changed sent')) },
  test_x_mcp_header: {
    description: 'One argument is mirrored into an Mcp-Param header',
    inputSchema: { type: 'object', properties: { region: { type: 'string', 'x-mcp-header': 'Region' }, level: { type: 'integer' } } },
    run: (args) => say(`region=${args.region ?? 'none'}`),
  },
  // --- multi round-trip requests
  test_input_required_result_elicitation: {
    run(_args, ctx) {
      const name = accepted(ctx, 'user_name')?.name;
      return typeof name === 'string' ? say(`Hello, ${name}!`) : ask({ user_name: elicit('What is your name?', nameSchema) });
    },
  },
  test_input_required_result_sampling: {
    run(_args, ctx) {
      const reply = answers(ctx).capital_question;
      return reply ? say(String(reply.content?.text)) : ask({ capital_question: sample('What is the capital of France?', 100) });
    },
  },
  test_input_required_result_list_roots: {
    run(_args, ctx) {
      const reply = answers(ctx).client_roots;
      return Array.isArray(reply?.roots) ? say(`Roots: ${reply.roots.map((root) => root.uri).join(', ')}`) : ask({ client_roots: roots() });
    },
  },
  test_input_required_result_request_state: {
    run(_args, ctx) {
      if (!state(ctx)) return ask({ confirm: elicit('Please confirm', okSchema) }, { step: 'confirm' });
      return say('state-ok');
    },
  },
  test_input_required_result_tampered_state: {
    run(_args, ctx) {
      if (!state(ctx)) return ask({ confirm: elicit('Please confirm', okSchema) }, { step: 'sealed' });
      return say('untampered');
    },
  },
  test_input_required_result_multiple_inputs: {
    run(_args, ctx) {
      const got = answers(ctx);
      if (state(ctx) && got.user_name && got.greeting && got.client_roots) return say('all inputs received');
      const wanted = {
        user_name: elicit('What is your name?', nameSchema), greeting: sample('Generate a greeting', 50), client_roots: roots(),
      };
      return ask(wanted, { step: 'many' });
    },
  },
  test_input_required_result_multi_round: {
    run(_args, ctx) {
      const now = state(ctx);
      if (!now) return ask({ step1: elicit('Step 1: What is your name?', nameSchema) }, { round: 1 });
      if (now.round === 1) {
        const next = { round: 2, name: accepted(ctx, 'step1')?.name };
        return ask({ step2: elicit('Step 2: What is your favorite color?', needs('color')) }, next);
      }
      return say(`${now.name} likes ${accepted(ctx, 'step2')?.color}`);
    },
  },
  test_input_required_result_capabilities: {
    run(_args, ctx) {
      const caps = declared(ctx) ?? {};
      const wanted = {
        ...(caps.sampling ? { opinion: sample('Say something', 20) } : {}),
        ...(caps.elicitation ? { user_name: elicit('What is your name?', nameSchema) } : {}),
        ...(caps.roots ? { client_roots: roots() } : {}),
      };
      const pending = Object.keys(wanted).filter((key) => !answers(ctx)[key]);
      return pending.length ? ask(Object.fromEntries(pending.map((key) => [key, wanted[key]]))) : say('nothing left to ask');
    },
  },
};
const toolList = () => Object.entries(TOOLS).map(([name, tool]) => ({
  name, description: tool.description ?? `Conformance fixture ${name}`, inputSchema: tool.inputSchema ?? NO_ARGS,
}));

// ---------------------------------------------------------------- resources and prompts
const RESOURCES = [
  { uri: 'test://static-text', name: 'static-text', description: 'Static text', mimeType: 'text/plain' },
  { uri: 'test://static-binary', name: 'static-binary', description: 'Static PNG', mimeType: 'image/png' },
  { uri: 'test://watched-resource', name: 'watched-resource', description: 'Resource to subscribe to', mimeType: 'text/plain' },
];
function readResource(uri) {
  const one = (fields) => ({ contents: [{ uri, ...fields }] });
  if (uri === 'test://static-text') return one({ mimeType: 'text/plain', text: 'This is the content of the static text resource.' });
  if (uri === 'test://static-binary') return one({ mimeType: 'image/png', blob: PNG });
  if (uri === 'test://watched-resource') return one({ mimeType: 'text/plain', text: `watched at ${new Date().toISOString()}` });
  const id = /^test:\/\/template\/([^/]+)\/data$/.exec(uri)?.[1];
  if (id) return one({ mimeType: 'application/json', text: JSON.stringify({ id, templateTest: true, data: `Data for ID: ${id}` }) });
  throw invalid('Resource not found', { uri });
}
const PROMPTS = {
  test_simple_prompt: { run: () => [user(text('This is a simple prompt for testing.'))] },
  test_prompt_with_arguments: {
    args: ['arg1', 'arg2'],
    run: (a) => [user(text(`Prompt with arguments: arg1='${a.arg1}', arg2='${a.arg2}'`))],
  },
  test_prompt_with_embedded_resource: {
    args: ['resourceUri'],
    run: (a) => [
      user({ type: 'resource', resource: { uri: a.resourceUri, mimeType: 'text/plain', text: 'Embedded resource content for testing.' } }),
      user(text('Please process the embedded resource above.')),
    ],
  },
  test_prompt_with_image: { run: () => [user(image()), user(text('Please analyze the image above.'))] },
  test_input_required_result_prompt: {
    run(_args, ctx) {
      const context = accepted(ctx, 'user_context')?.context;
      return typeof context === 'string'
        ? [user(text(`Use this context: ${context}`))]
        : ask({ user_context: elicit('What context should the prompt use?', needs('context')) });
    },
  },
};

// ---------------------------------------------------------------- one Server per modern request / legacy session
const legacySessions = new Map(); // session id -> { server, transport, watching:Set }
function announce(kind) {
  if (kind === 'tools') modern.notify.toolsChanged(); else modern.notify.promptsChanged();
  for (const { server } of legacySessions.values())
    server.notification({ method: `notifications/${kind}/list_changed` }).catch(() => {});
}

function buildServer(watching = new Set()) {
  const server = new Server(
    { name: 'conformance-fixture', version: '1.0.0' },
    {
      capabilities: {
        tools: { listChanged: true }, prompts: { listChanged: true },
        resources: { listChanged: true, subscribe: true }, completions: {}, logging: {},
      },
      requestState: { verify: openState },
    },
  );
  server.setRequestHandler('tools/list', async () => ({ tools: toolList() }));
  server.setRequestHandler('tools/call', async ({ params }, ctx) => {
    const tool = Object.hasOwn(TOOLS, params.name) ? TOOLS[params.name] : undefined;
    if (!tool) throw invalid(`Unknown tool: ${params.name}`);
    const args = params.arguments ?? {};
    const missing = (tool.inputSchema?.required ?? []).filter((key) => args[key] === undefined);
    if (missing.length) return { isError: true, ...say(`Missing argument: ${missing.join(', ')}`) };
    return tool.run(args, ctx);
  });
  server.setRequestHandler('resources/list', async () => ({ resources: RESOURCES }));
  server.setRequestHandler('resources/templates/list', async () => ({
    resourceTemplates: [
      { uriTemplate: 'test://template/{id}/data', name: 'template', description: 'Templated JSON', mimeType: 'application/json' },
    ],
  }));
  server.setRequestHandler('resources/read', async ({ params }) => readResource(params.uri));
  server.setRequestHandler('resources/subscribe', async ({ params }) => (watching.add(params.uri), {}));
  server.setRequestHandler('resources/unsubscribe', async ({ params }) => (watching.delete(params.uri), {}));
  server.setRequestHandler('prompts/list', async () => ({
    prompts: Object.entries(PROMPTS).map(([name, prompt]) => ({
      name, description: `Conformance fixture ${name}`,
      ...(prompt.args ? { arguments: prompt.args.map((arg) => ({ name: arg, required: true })) } : {}),
    })),
  }));
  server.setRequestHandler('prompts/get', async ({ params }, ctx) => {
    const prompt = Object.hasOwn(PROMPTS, params.name) ? PROMPTS[params.name] : undefined;
    if (!prompt) throw invalid(`Unknown prompt: ${params.name}`);
    const outcome = await prompt.run(params.arguments ?? {}, ctx);
    return Array.isArray(outcome) ? { messages: outcome } : outcome;
  });
  server.setRequestHandler('completion/complete', async ({ params }) => {
    const values = ['paris', 'park', 'party', 'test', 'testing'].filter((value) => value.startsWith(params.argument.value));
    return { completion: { values, total: values.length, hasMore: false } };
  });
  return server;
}

const modern = createMcpHandler(() => buildServer(), { legacy: 'reject', onerror: (error) => console.error('modern:', error.message) });
const serveModern = toNodeHandler(modern);

// Resumable legacy streams: events are kept per stream, ids carry the stream they belong to.
function eventStore() {
  const log = [];
  return {
    async storeEvent(stream, message) {
      log.push({ id: `${stream}/${log.length}`, stream, message });
      return log[log.length - 1].id;
    },
    async replayEventsAfter(lastId, { send }) {
      const at = log.findIndex((event) => event.id === lastId);
      const stream = at < 0 ? lastId.slice(0, lastId.lastIndexOf('/')) : log[at].stream;
      for (const event of log.slice(at + 1))
        if (event.stream === stream && event.message && Object.keys(event.message).length) await send(event.id, event.message);
      return stream;
    },
  };
}

async function serveLegacy(req, res, body) {
  const id = req.headers['mcp-session-id'];
  if (id !== undefined) {
    const session = legacySessions.get(id);
    return session ? session.transport.handleRequest(req, res, body) : reply(res, 404, -32001, 'Session not found');
  }
  if (req.method !== 'POST' || !isInitializeRequest(body)) return reply(res, 400, -32000, 'Bad Request: session required');
  const watching = new Set();
  const server = buildServer(watching);
  const transport = new NodeStreamableHTTPServerTransport({
    sessionIdGenerator: randomUUID, eventStore: eventStore(), retryInterval: 1000,
    onsessioninitialized: (sessionId) => legacySessions.set(sessionId, { server, transport, watching }),
  });
  transport.onclose = () => legacySessions.delete(transport.sessionId);
  await server.connect(transport);
  return transport.handleRequest(req, res, body);
}
// A watched resource "changes" every 3 s: subscribers of either era hear about it.
setInterval(() => {
  modern.notify.resourceUpdated('test://watched-resource');
  for (const { server, watching } of legacySessions.values())
    for (const uri of watching) server.notification({ method: 'notifications/resources/updated', params: { uri } }).catch(() => {});
}, 3000).unref();

// ---------------------------------------------------------------- HTTP
const hostOk = localhostHostValidation();
const originOk = localhostOriginValidation();
function reply(res, status, code, message, headers = {}, id = null) {
  res.writeHead(status, { 'content-type': 'application/json', ...headers });
  res.end(JSON.stringify({ jsonrpc: '2.0', id, error: { code, message } }));
}
// Mcp-Param-* mirror check: every annotated argument that is present must have an equal header.
function decodeParam(value) {
  const encoded = /^=\?base64\?(.*)\?=$/.exec(value)?.[1];
  if (encoded === undefined) return value; // no full wrapper: a literal
  if (encoded.length % 4 || !/^[A-Za-z0-9+/]*={0,2}$/.test(encoded)) return undefined;
  return Buffer.from(encoded, 'base64').toString('utf8');
}
function paramHeaderProblem(req, body) {
  if (body?.method !== 'tools/call') return undefined;
  const properties = TOOLS[body.params?.name]?.inputSchema?.properties ?? {};
  for (const [key, schema] of Object.entries(properties)) {
    if (!schema['x-mcp-header']) continue;
    const header = req.headers[`mcp-param-${schema['x-mcp-header'].toLowerCase()}`];
    const value = body.params.arguments?.[key];
    if (value === undefined || value === null) continue;
    if (header === undefined) return `argument ${key} has no Mcp-Param-${schema['x-mcp-header']} header`;
    if (decodeParam(header) !== String(value)) return `Mcp-Param-${schema['x-mcp-header']} disagrees with argument ${key}`;
  }
  return undefined;
}
async function jsonBody(req) {
  const chunks = [];
  let size = 0;
  for await (const chunk of req) {
    size += chunk.length;
    if (size > MAX_BODY) throw Object.assign(new Error('body too large'), { status: 413 });
    chunks.push(chunk);
  }
  return JSON.parse(Buffer.concat(chunks).toString('utf8'));
}
const http = createServer(async (req, res) => {
  try {
    if (!hostOk(req, res) || !originOk(req, res)) return;
    const path = new URL(req.url, 'http://localhost').pathname;
    if (path !== '/mcp') return reply(res, 404, -32600, 'Not found');
    if (req.method !== 'POST') return await serveLegacy(req, res, undefined);
    let body;
    try { body = await jsonBody(req); } catch (error) { return reply(res, error.status ?? 400, -32700, 'Parse error'); }
    if (await isLegacyRequest(await toWebRequest(req, body))) return await serveLegacy(req, res, body);
    const problem = paramHeaderProblem(req, body);
    if (problem) return reply(res, 400, -32020, `Header mismatch: ${problem}`, {}, body.id);
    return await serveModern(req, res, body);
  } catch (error) {
    console.error('request failed:', error);
    if (!res.headersSent) reply(res, 500, -32603, 'Internal error'); else res.end();
  }
});
http.listen(0, '127.0.0.1', () => console.log(`listening on 127.0.0.1:${http.address().port}`));
process.on('SIGTERM', () => { http.closeAllConnections(); http.close(() => process.exit(0)); });
