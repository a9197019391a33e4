// azure-kusto-data: queries, and commands, which begin with a dot.
import { Client, ClientRequestProperties, KustoConnectionStringBuilder } from "azure-kusto-data";

// run asks query of database db. options and parameters are those of the request's properties, v1 asks
// in the old form, cancelAfter closes the client after so many milliseconds. It gives each primary table as
// {name, columns: [[name, type], …], rows: [[…], …]}, cells as they came.
export async function run({ endpoint, token, db, query, options, parameters, id, v1, cancelAfter }) {
  const client = new Client(
    token ? KustoConnectionStringBuilder.withAccessToken(endpoint, token) : new KustoConnectionStringBuilder(endpoint),
  );
  const properties = new ClientRequestProperties(options, parameters, id);
  if (cancelAfter !== undefined) {
    setTimeout(() => client.close(), cancelAfter);
  }
  const answer = v1 ? await client.executeQueryV1(db, query, properties) : await client.execute(db, query, properties);
  return answer.primaryResults.map((t) => ({
    name: t.name,
    columns: t.columns.map((c) => [c.name, c.type]),
    rows: [...t.rows()].map((r) => [...r.values()]),
  }));
}
