// Judges queries by Microsoft's parser and type checker. Lines of JSON come on stdin:
// {"tables": {name: [[column, type], …]}, "watchlists": {name: [[column, type], …]}} says what the
// queries after it may name, {"query": text} asks. For each query a line goes to stdout:
// {"errors": [{"code", "at", "message"}], "columns": [[name, type], …] or null, "open": true if
// the columns depend on the data}. With {"vocabulary": true} in place of a query the names of all
// functions, aggregates and plugins are given, with the types of their parameters.
'use strict';
const fs = require('node:fs');
const path = require('node:path');
const readline = require('node:readline');
const vm = require('node:vm');

// The two scripts are written for a page: they share one global object.
const folder = path.join(__dirname, 'node_modules', '@kusto', 'language-service-next');
for (const name of ['bridge.min.js', 'Kusto.Language.Bridge.min.js']) {
  const file = path.join(folder, name);
  vm.runInThisContext(fs.readFileSync(file, 'utf8'), { filename: file });
}
const { Kusto, Bridge } = globalThis;
const symbols = Kusto.Language.Symbols;

const list = (enumerable) => {
  const out = [];
  const e = Bridge.getEnumerator(enumerable);
  while (e.moveNext()) out.push(e.Current);
  return out;
};

const declaration = (columns) => '(' + columns.map(([name, type]) => `['${name}']:${type}`).join(', ') + ')';

const tableOf = (name, columns) => new symbols.TableSymbol.$ctor7(name, declaration(columns));

// A watchlist is known by its name; one that is not known may have any columns.
function watchlistFunction(watchlists) {
  const own = [['_DTItemId', 'string'], ['LastUpdatedTimeUTC', 'datetime'], ['SearchKey', 'string']];
  const known = new Map(Object.entries(watchlists).map(([name, columns]) => [name.toLowerCase(), tableOf('', [...own, ...columns])]));
  const any = tableOf('', own).WithIsOpen(true);
  const name = new symbols.Parameter.$ctor2('watchlistAlias', symbols.ScalarTypes.String);
  return new symbols.FunctionSymbol.ctor('_GetWatchlist', (context) => {
    const args = list(context.Arguments);
    const text = args.length > 0 && args[0].LiteralValue;
    return (typeof text === 'string' && known.get(text.toLowerCase())) || any;
  }, symbols.Tabularity.Tabular, [name]);
}

function globalsFor({ tables = {}, watchlists = {} }) {
  const members = Object.entries(tables).map(([name, columns]) => tableOf(name, columns));
  members.push(watchlistFunction(watchlists));
  const database = new symbols.DatabaseSymbol.ctor('workspace', members);
  return Kusto.Language.GlobalState.Default.WithDatabase(database);
}

function judge(text, globals) {
  const code = Kusto.Language.KustoCode.ParseAndAnalyze(text, globals);
  const errors = list(code.GetDiagnostics())
    .filter((d) => d.Severity === 'Error')
    .map((d) => ({ code: d.Code, at: d.Start, message: d.Message }));
  const type = code.ResultType;
  if (!Bridge.is(type, symbols.TableSymbol)) {
    return { errors, columns: null, scalar: type ? type.Name : '' };
  }
  return { errors, columns: list(type.Columns).map((c) => [c.Name, c.Type.Name]), open: type.IsOpen };
}

const flagNames = (set, value) => Object.keys(set).filter((k) => set[k] === value)[0] ?? '';

function vocabulary(globals) {
  const describe = (f) => ({
    name: f.Name,
    hidden: Boolean(f.IsObsolete) || Boolean(f.IsHidden),
    signatures: list(f.Signatures).map((s) => ({
      result: s.ReturnKind,
      type: s._returnType ? s._returnType.Name : '',
      min: s.MinArgumentCount,
      max: s.MaxArgumentCount,
      parameters: list(s.Parameters).map((p) => ({
        name: p.Name,
        kind: p.TypeKind,
        types: p.DeclaredTypes ? list(p.DeclaredTypes).map((t) => t.Name) : [],
        least: p.MinOccurring,
        most: p.MaxOccurring,
        values: p.Values ? list(p.Values).map(String) : [],
      })),
    })),
  });
  const kinds = symbols.ReturnTypeKind;
  const params = symbols.ParameterTypeKind;
  const named = (f) => {
    const d = describe(f);
    for (const s of d.signatures) {
      s.result = flagNames(kinds, s.result);
      for (const p of s.parameters) p.kind = flagNames(params, p.kind);
    }
    return d;
  };
  return {
    functions: list(globals.Functions).map(named),
    aggregates: list(globals.Aggregates).map(named),
    plugins: list(globals.PlugIns).map(named),
  };
}

let globals = globalsFor({});
readline.createInterface({ input: process.stdin }).on('line', (line) => {
  const request = JSON.parse(line);
  let answer;
  if (request.tables) {
    globals = globalsFor(request);
    return;
  }
  try {
    answer = request.vocabulary ? vocabulary(globals) : judge(request.query, globals);
  } catch (e) {
    answer = { errors: [], columns: null, crash: String(e && e.stack ? e.stack : e).slice(0, 2000) };
  }
  process.stdout.write(JSON.stringify(answer) + '\n');
});
