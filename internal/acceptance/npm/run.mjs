// Lets one of Microsoft's clients, unmodified, do something against a server and prints what it got.
//
// Standard input is a JSON array of objects that are done one after the other: client names the file of this
// folder that knows the client, endpoint is the server's address, token the bearer token (none: the client
// sends none), and the rest is that file's to read. An array is printed: of each what its file's run(request)
// gives as {"result": …}, or what the client throws as {"error": {"name", "message", "status", "code",
// "body"}}, as far as the client tells it. Numbers beyond 2^53 are what the client makes of them. The
// authority of a server's certificate comes by NODE_EXTRA_CA_CERTS, the only way that Node has for a client
// that takes none.
import { text } from "node:stream/consumers";

async function answer(request) {
  if (!/^[a-z]+$/.test(request.client)) {
    throw new Error(`no client is called ${request.client}`);
  }
  const client = await import(`./${request.client}.mjs`);
  try {
    return { result: await client.run(request) };
  } catch (e) {
    const response = e.response ?? e.inner?.response;
    return {
      error: {
        name: e.name,
        message: e.message,
        status: e.statusCode ?? e.status ?? response?.status,
        code: e.code,
        body: response?.data,
      },
    };
  }
}

const printed = [];
for (const request of JSON.parse(await text(process.stdin))) {
  printed.push(await answer(request));
}
process.stdout.write(JSON.stringify(printed, (_, v) => (typeof v === "bigint" ? v.toString() : v === undefined ? null : v)) + "\n", () => process.exit(0));
