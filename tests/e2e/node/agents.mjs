// A client library that agents are built with, under remote control like clients.mjs: one connection, a command a line.
//
//   E2E_TOKEN=… node agents.mjs URL ai|mcporter
import { createInterface } from 'node:readline';
import { createMCPClient } from '@ai-sdk/mcp';
import { createRuntime } from 'mcporter';

const [url, flavour] = process.argv.slice(2);
const headers = { Authorization: `Bearer ${process.env.E2E_TOKEN}` };

const flavours = {
  async ai() {
    const client = await createMCPClient({ transport: { type: 'http', url, headers } });
    return {
      list: async () => Object.keys(await client.tools()),
      call: async (tool, args) => (await client.tools())[tool].execute(args, { toolCallId: '1', messages: [] }),
      close: () => client.close(),
    };
  },
  async mcporter() {
    const command = { kind: 'http', url: new URL(url), headers };
    const quiet = { info() {}, warn: console.error, error: console.error };
    const runtime = await createRuntime({ servers: [{ name: 'gateway', command }], logger: quiet });
    return {
      list: async () => (await runtime.listTools('gateway')).map((tool) => tool.name),
      call: (tool, args) => runtime.callTool('gateway', tool, { args }),
      close: () => runtime.close(),
    };
  },
};

const say = (line) => process.stdout.write(JSON.stringify(line) + '\n');
const client = await flavours[flavour]();
const commands = {
  list: async () => ({ tools: await client.list() }),
  async call({ tool, arguments: args }) {
    const result = await client.call(tool, args ?? {});
    return { text: result.content.map((part) => part.text).join('\n'), isError: result.isError ?? false };
  },
};
say({ flavour });
for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line);
  try {
    say(await commands[command.do](command));
  } catch (error) {
    say({ failed: String(error) });
  }
}
await client.close();
