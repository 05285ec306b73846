/**
 * What is executed for a container, pure: image entrypoint, command and args of the Pod, in Kubernetes' precedence (command replaces the entrypoint and
 * the image's args; args replace the image's args). A command path that the original image is known by means our program; a path whose last part is one of
 * the image's tools means that tool; anything else is a program of the host.
 */
import { err, ok, type Result } from "@argyle/core";
import type { Container } from "@argyle/kube-types";
import { expandVariables } from "./expand.ts";
import type { ImageEntry } from "./image-index.ts";

export interface ResolvedCommand {
  readonly argv: readonly string[];
  /** It runs under Node, so the preload reaches it. */
  readonly isNode: boolean;
}

export interface CommandInputs {
  readonly container: Container;
  readonly entry: ImageEntry;
  readonly distDir: string;
  readonly nodePath: string;
  readonly env: Readonly<Record<string, string>>;
}

export function resolveCommand(inputs: CommandInputs): Result<ResolvedCommand, string> {
  const { container, entry, env } = inputs;
  const expand = (text: string) => expandVariables(text, (name) => env[name]);
  const command = container.command?.map(expand) ?? [];
  const args = container.args?.map(expand);
  if (command.length === 0) {
    if (entry.main === undefined) {
      return err(
        entry.id === "host"
          ? "image: host runs a program of this host: spec.containers[].command must name it"
          : `image ${entry.id} has no program of its own: set a command`,
      );
    }
    return ok({ argv: [...ownProgram(entry.main, inputs), ...(args ?? entry.args ?? [])], isNode: true });
  }
  return ok(resolveProgram([...command, ...(args ?? [])], inputs));
}

/** Also for exec: the same rules for an argv that was typed. */
export function resolveProgram(
  argv: readonly string[],
  inputs: Pick<CommandInputs, "entry" | "distDir" | "nodePath">,
): ResolvedCommand {
  const { entry, distDir, nodePath } = inputs;
  const [file = "", ...rest] = argv;
  if (entry.main !== undefined && entry.accepts?.includes(file) === true) {
    return { argv: [...ownProgram(entry.main, inputs), ...rest], isNode: true };
  }
  const tool = file.slice(file.lastIndexOf("/") + 1);
  if (entry.bin?.includes(tool) === true) {
    return { argv: [nodePath, `${distDir}/${entry.directory}/bin/${tool}.cjs`, ...rest], isNode: true };
  }
  return { argv, isNode: tool === "node" || tool === "npm" || tool === "npx" };
}

function ownProgram(
  main: string,
  { distDir, nodePath }: Pick<CommandInputs, "distDir" | "nodePath">,
): readonly string[] {
  return [nodePath, `${distDir}/${main}`];
}
