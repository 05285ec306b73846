/** Tokens of a request at the places where they may be: headers behind a prefix, query parameters, cookies. */
import type { HeaderBlock } from "@argyle/codec";
import type { RequestView } from "../../config/header-matcher.ts";
import type { TokenLocation } from "./provider.ts";

export interface FoundToken {
  readonly text: string;
  readonly location: TokenLocation;
}

export function findTokens(
  request: Pick<RequestView, "headers" | "path">,
  locations: readonly TokenLocation[],
): readonly FoundToken[] {
  return locations.flatMap((location) => textsAt(request, location).map((text) => ({ text, location })));
}

/** So that what comes behind does not see a token that was for this proxy alone. Parameters stay: a path is not rewritten for it. */
export function removeToken(headers: HeaderBlock, { location }: FoundToken): void {
  if (location.kind === "header") headers.remove(location.name);
}

function textsAt({ headers, path }: Pick<RequestView, "headers" | "path">, location: TokenLocation): readonly string[] {
  switch (location.kind) {
    case "header":
      return headers.getAll(location.name).flatMap((value) => {
        const at = value.indexOf(location.prefix);
        if (at === -1) return [];
        // A token ends where its alphabet does.
        const [text = ""] = /^[A-Za-z0-9._-]*/.exec(value.slice(at + location.prefix.length)) ?? [];
        return [text];
      });
    case "param": {
      const mark = path.indexOf("?");
      return mark === -1 ? [] : new URLSearchParams(path.slice(mark + 1)).getAll(location.name).slice(0, 1);
    }
    case "cookie":
      return headers
        .getAll("cookie")
        .flatMap((line) => line.split(";"))
        .map((pair) => pair.trim())
        .filter((pair) => pair.startsWith(`${location.name}=`))
        .map((pair) => pair.slice(location.name.length + 1))
        .slice(0, 1);
  }
}
