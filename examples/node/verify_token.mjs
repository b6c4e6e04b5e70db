// Who is this token? Through the C interface, from Node, with the package koffi: node verify_token.mjs LIBRARY URL < TOKEN
// Exit 0: known, 1: refused, 2: no answer. The request runs on a thread of koffi's pool, not on Node's event loop.
import { readFileSync } from "node:fs";
import { promisify } from "node:util";
import koffi from "koffi";

const [library, url] = process.argv.slice(2);
if (!url) {
  console.error("usage: node verify_token.mjs LIBRARY URL < TOKEN");
  process.exit(2);
}
const raw = Buffer.from(readFileSync(0, "utf8").trim());

const lib = koffi.load(library);
for (const name of ["client", "bytes", "error"]) koffi.opaque(`mcptoken_${name}`);
const declare = (text) => lib.func(text);
const sha = declare("int32_t mcptoken_token_sha(" +
  "const uint8_t *raw, size_t size, _Out_ mcptoken_bytes **hex, _Out_ mcptoken_error **error)");
const clientNew = declare("int32_t mcptoken_client_new(" +
  "const char *url, const uint8_t *bearer, size_t size, int64_t timeout, " +
  "_Out_ mcptoken_client **client, _Out_ mcptoken_error **error)");
const clientCall = declare("int32_t mcptoken_client_call(" +
  "mcptoken_client *client, const char *method, const char *path, const char *body, size_t size, " +
  "_Out_ mcptoken_bytes **answer, _Out_ mcptoken_error **error)");
const clientFree = declare("void mcptoken_client_free(mcptoken_client *client)");
const bytesData = declare("const char *mcptoken_bytes_data(mcptoken_bytes *bytes)");
const bytesFree = declare("void mcptoken_bytes_free(mcptoken_bytes *bytes)");
const errorMessage = declare("const char *mcptoken_error_message(mcptoken_error *error)");
const errorFree = declare("void mcptoken_error_free(mcptoken_error *error)");

class Failure extends Error {
  constructor(status, error) {
    super(errorMessage(error));
    errorFree(error);
    this.status = status;
  }
}

// Calls a function that ends in (out, error): what came out.
function call(fn, ...inputs) {
  const out = [null], error = [null];
  const status = fn(...inputs, out, error);
  if (status < 0) throw new Failure(status, error[0]);
  return out[0];
}

async function callAside(fn, ...inputs) {
  const out = [null], error = [null];
  const status = await promisify(fn.async)(...inputs, out, error);
  if (status < 0) throw new Failure(status, error[0]);
  return out[0];
}

function text(bytes) {
  try {
    return bytesData(bytes);
  } finally {
    bytesFree(bytes);
  }
}

let client;
try {
  const name = text(call(sha, raw, raw.length));
  client = call(clientNew, url, raw, raw.length, 5000);
  const known = JSON.parse(text(await callAside(clientCall, client, "GET", "/api/v1/mcptokens/introspect", null, 0)));
  console.log(`${known.tokenName} of project ${known.projectName}, ${known.tokenSha === name ? "the same" : "another"} hash`);
} catch (failure) {
  console.error(failure.message);
  process.exitCode = failure.status === -3 || failure.status === -100 ? 1 : 2;
} finally {
  if (client) clientFree(client);
}
