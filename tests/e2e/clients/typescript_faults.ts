// What the TypeScript client makes of a server that fails on purpose: one call, whose name is given.
// Prints what it returns or throws, and what printing the client shows, as JSON.
import { Patchbay, PatchbayError, verifyWebhook } from "./patchbay.ts";

declare const process: { env: { [name: string]: string }; argv: string[] };
const { API_URL = "", API_KEY = "", TIMEOUT_MS = "35000" } = process.env;
const patchbay = new Patchbay({ baseUrl: API_URL, apiKey: API_KEY, timeoutMs: Number(TIMEOUT_MS) });
const organization = { organization_id: "org_1" };

async function list(): Promise<string[]> {
  const ids: string[] = [];
  for await (const one of patchbay.list("/v1/organizations", { query: { limit: 2 } })) ids.push(one.id);
  return ids;
}

const CALLS: Record<string, () => Promise<unknown>> = {
  create: () => patchbay.call("POST", "/v1/organizations", { body: { name: "Acme" } }),
  read: () => patchbay.call("GET", "/v1/organizations/{organization_id}", { path: organization }),
  change: () =>
    patchbay.call("PATCH", "/v1/organizations/{organization_id}", { path: organization, body: { name: "n" }, headers: { "If-Match": '"1"' } }),
  restore: () => patchbay.call("POST", "/v1/integrations/{integration_id}/restore", { path: { integration_id: "int_1" } }),
  remove: () => patchbay.call("DELETE", "/spaces/{slug}", { path: { slug: "a/b" } }),
  list,
  contract: async () => {
    const ids: string[] = [];
    const query = { tenantId: "org_1" };
    for await (const one of patchbay.list("/integrations/connection/list/v1.0.0", { query })) ids.push(one.id);
    return ids;
  },
  cancel: () => patchbay.call("POST", "/v1/organizations", { body: { name: "Acme" }, signal: AbortSignal.timeout(300) }),
  clear: async () => new Patchbay({ baseUrl: "http://patchbay.example.com" }),
  verify: () => {
    const { SECRET = "", HEADERS = "{}", BODY = "" } = process.env;
    return verifyWebhook(SECRET.split(" "), new Headers(JSON.parse(HEADERS)), new TextEncoder().encode(BODY));
  },
};

const outcome = await CALLS[process.argv[2] ?? ""]!().then(
  (value) => ({ value }),
  (error) => ({
    error: error.name,
    message: error.message,
    ...(error instanceof PatchbayError ? { code: error.code, pointers: error.pointers, trace_id: error.traceId } : {}),
  }),
);
// What console.log shows. The types of Node.js are not installed here.
const { inspect } = await import("node:util" as string);
const inspected = inspect(patchbay, { showHidden: true, depth: null }) + inspect(outcome, { showHidden: true, depth: null });
const shown = `${patchbay} ${JSON.stringify(patchbay)} ${Object.values(patchbay)} ${inspected}`;
console.log(JSON.stringify({ ...outcome, shown }));
