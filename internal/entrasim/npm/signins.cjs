// Reads all sign-ins and audits with Microsoft's Graph client, page by page, and
// prints their ids: one JSON object with a list for each path.
// Usage: node signins.cjs ROOT TOKEN PATH...
const path = require("node:path");
const modules = process.env.GRAPH_MODULES;
const { Client, PageIterator } = require(path.join(modules, "@microsoft/microsoft-graph-client"));

async function main([root, token, ...paths]) {
  const client = Client.initWithMiddleware({
    baseUrl: root,
    customHosts: new Set([new URL(root).hostname]),
    authProvider: { getAccessToken: async () => token },
  });
  const ids = {};
  for (const p of paths) {
    const list = (ids[p] = []);
    const [version, ...rest] = p.split("/");
    const first = await client.api("/" + rest.join("/")).version(version).get();
    const pages = new PageIterator(client, first, (entity) => {
      list.push(entity.id);
      return true;
    });
    await pages.iterate();
  }
  console.log(JSON.stringify(ids));
}

main(process.argv.slice(2)).catch((e) => {
  console.error(e.statusCode, e.code, e.message);
  process.exit(1);
});
