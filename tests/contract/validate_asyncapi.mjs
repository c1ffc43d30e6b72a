// Prints what the official parser makes of the document named: its errors and its operations.
import { readFile } from "node:fs/promises";
import { Parser } from "@asyncapi/parser";

const ERROR = 0;
const { document, diagnostics } = await new Parser().parse(await readFile(process.argv[2], "utf8"));
console.log(
  JSON.stringify({
    errors: diagnostics.filter((found) => found.severity === ERROR),
    operations: Object.fromEntries(
      (document?.operations().all() ?? []).map((operation) => [operation.id(), operation.action()]),
    ),
  }),
);
