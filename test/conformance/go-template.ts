/** The part of Go's text/template that the metric files use: `{{ .A.B }}`, if / else if / else / end with `.A.B`, eq and ne. */
export type TemplateValues = Readonly<Record<string, string>>;

const ACTION = /\{\{(-?)\s*([\s\S]*?)\s*(-?)\}\}/g;

export function fillGoTemplate(text: string, values: TemplateValues): string {
  let out = "";
  let at = 0;
  let trims = false;
  /** One entry an open `if`: whether this branch is written, and whether an earlier branch was. */
  const open: { isOn: boolean; wasOn: boolean }[] = [];
  const isWritten = () => open.every(({ isOn }) => isOn);
  const write = (piece: string) => {
    if (isWritten()) out += trims ? piece.trimStart() : piece;
    trims = false;
  };
  for (const match of text.matchAll(ACTION)) {
    const [whole, left, body = "", right] = match;
    const piece = text.slice(at, match.index);
    write(left === "-" ? piece.trimEnd() : piece);
    at = match.index + whole.length;
    trims = right === "-";
    const branch = /^(if|else if)\s+(.*)$/.exec(body);
    const innermost = open.at(-1);
    if (branch?.[1] === "if") {
      const isOn = isTrue(branch[2] ?? "", values);
      open.push({ isOn, wasOn: isOn });
    } else if (branch !== null || body === "else") {
      if (innermost === undefined) throw new Error("else without if");
      innermost.isOn = !innermost.wasOn && (branch === null || isTrue(branch[2] ?? "", values));
      innermost.wasOn ||= innermost.isOn;
    } else if (body === "end") open.pop();
    else if (isWritten()) out += textAt(body, values);
  }
  write(text.slice(at));
  return out;
}

function isTrue(condition: string, values: TemplateValues): boolean {
  const compared = /^(eq|ne)\s+(\S+)\s+"([^"]*)"$/.exec(condition);
  if (compared === null) return textAt(condition, values) !== "";
  return (textAt(compared[2] ?? "", values) === compared[3]) === (compared[1] === "eq");
}

/** A variable that the test did not set is the empty text, as in the peer's harness. */
function textAt(path: string, values: TemplateValues): string {
  if (!/^\.[\w.]+$/.test(path)) throw new Error(`unknown template action: ${path}`);
  return values[path.slice(1)] ?? "";
}
