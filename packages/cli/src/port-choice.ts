/**
 * Which host port a listener gets. A port that was asked for by flag is that port or an error; the default, or the one of the earlier run, is a
 * wish: when it is busy the next free one is taken and said aloud. 0 is any free port.
 */
import { findAnyPort, findFreePort, HOST } from "@argyle/cluster";
import { MeshError, type Problem } from "@argyle/core";

export interface PortWish {
  readonly flag: string;
  readonly given: number | undefined;
  readonly previous: number | undefined;
  readonly fallback: number;
}

export function checkPorts(ports: Readonly<Record<string, number | undefined>>): readonly Problem[] {
  const given = Object.entries(ports).flatMap(([flag, port]) => (port === undefined ? [] : [{ flag, port }]));
  const problems = given
    .filter(({ port }) => !Number.isInteger(port) || port < 0 || port > 65_535)
    .map(({ flag, port }) => ({ path: `--${flag}`, message: `must be a port between 0 and 65535, not ${port}` }));
  const [first, ...others] = given.filter(({ port }) => port !== 0);
  const twin = others.find(({ port }) => port === first?.port);
  return first === undefined || twin === undefined
    ? problems
    : [...problems, { path: `--${twin.flag}`, message: `is the same port as --${first.flag}` }];
}

export async function choosePort(
  { flag, given, previous, fallback }: PortWish,
  taken: ReadonlySet<number>,
  note: (text: string) => void,
): Promise<number> {
  if (given === 0) return findAnyPort(taken, Math.random);
  const wished = given ?? previous ?? fallback;
  const port = await findFreePort(wished, taken);
  if (port === wished) return port;
  if (given !== undefined) {
    throw new MeshError(`${HOST}:${given} is in use`, {
      code: "ports.in-use",
      advice: `end the program that holds it, or choose another port: --${flag} ${port} is free, --${flag} 0 takes any`,
    });
  }
  note(`ports    ${HOST}:${wished} is in use, taking ${port} instead (--${flag} chooses another)\n`);
  return port;
}
