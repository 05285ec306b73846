/** What goes wrong around a start and an end: usage, ports, disks, damaged files, signals. Each gives one clear message, its exit code, and nothing half done. */
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import {
  chmodSync,
  closeSync,
  existsSync,
  openSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { eventually } from "@argyle/testkit";
import { spawn as spawnOnTerminal } from "@lydell/node-pty";
import { CLI, createLoneInstance, type LoneInstance, QUIET } from "../lone-instance.ts";
import { findKubectls, processesOf, ROOT, run, withoutKubectl } from "../mini-cluster.ts";

const withoutInstance = [
  { args: ["down"], code: 3, says: /^argyle: instance argyle is not running\n {2}start it with: \.\/argyle up\n$/ },
  { args: ["down", "--instance", "other"], code: 3, says: /\.\/argyle up --instance other/ },
  { args: ["status"], code: 3, says: /is not running/ },
  { args: ["kubectl", "get", "pods"], code: 3, says: /has no kubeconfig: it was never started/ },
  { args: ["proxy-status"], code: 3, says: /is not running/ },
  { args: ["shell"], code: 3, says: /is not running/ },
  { args: ["upp"], code: 2, says: /^argyle: "upp" is not a command\n {2}commands: up, status/ },
  { args: ["help", "upp"], code: 2, says: /"upp" is not a command/ },
  { args: ["up", "--demmo", "none"], code: 2, says: /^argyle: --demmo: unknown flag; did you mean --demo\?\n/ },
  { args: ["up", "--demo", "x"], code: 2, says: /--demo: must be one of none, mesh, sock-shop, not "x"/ },
  { args: ["up", "now"], code: 2, says: /now: unexpected argument\n {2}see: \.\/argyle help up/ },
  { args: ["up", "--api-port", "70000"], code: 2, says: /--api-port: must be a port between 0 and 65535, not 70000/ },
  { args: ["up", "--api-port", "7000", "--gateway-port", "7000"], code: 2, says: /--gateway-port: is the same port/ },
  { args: ["up", "--instance", "../x"], code: 2, says: /can't be the name of an instance/ },
  { args: ["down", "--instance"], code: 2, says: /--instance needs a name/ },
];
for (const { args, code, says } of withoutInstance) {
  test(`argyle ${args.join(" ")}: ${code}`, async (t) => {
    const instance = createLoneInstance(t);
    const outcome = await instance.argyle(...args);
    assert.equal(outcome.code, code, outcome.stderr);
    assert.match(outcome.stderr, says);
    assert.equal(outcome.stdout, "");
    assert.equal(existsSync(instance.stateDir), false, "nothing was written");
  });
}

test("an old Node.js is told so before anything else happens", async (t) => {
  const { env } = createLoneInstance(t);
  const stub = join(String(env.TMPDIR), "old-node.cjs");
  writeFileSync(
    stub,
    `const versions = { ...process.versions, node: "18.19.1" };
     Object.defineProperty(process, "versions", { value: versions });
     Object.defineProperty(process, "version", { value: "v18.19.1" });`,
  );
  const outcome = await run(process.execPath, ["--require", stub, join(ROOT, "scripts/start.mjs"), "up"], { env });
  rmSync(stub);
  assert.equal(outcome.code, 1);
  assert.match(
    outcome.stderr,
    /^argyle needs Node\.js 20\.19 or newer; this is v18\.19\.1 at \S+\.\nInstall a current Node\.js/,
  );
});

test("busy default ports are replaced by free ones, aloud", async (t) => {
  const instance = createLoneInstance(t);
  await holdPort(t, 6443);
  await holdPort(t, 8080);
  const { code, stderr, stdout } = await instance.argyle("up", "-d", "--demo", "none");
  assert.equal(code, 0, stderr);
  for (const [busy, flag] of [
    [6443, "api-port"],
    [8080, "gateway-port"],
  ]) {
    assert.match(
      stderr,
      new RegExp(`127\\.0\\.0\\.1:${busy} is in use, taking \\d+ instead \\(--${flag} chooses another\\)`),
    );
  }
  assert.match(stdout, /https:\/\/127\.0\.0\.1:644[4-9]\b/);
});

for (const flag of ["--api-port", "--gateway-port"]) {
  test(`a busy port that was asked for with ${flag} is an error: 4`, async (t) => {
    const instance = createLoneInstance(t);
    const port = await holdPort(t, 0);
    const { code, stderr } = await instance.argyle("up", "-d", "--demo", "none", flag, String(port));
    assert.equal(code, 4, stderr);
    assert.match(
      stderr,
      new RegExp(`^argyle: 127\\.0\\.0\\.1:${port} is in use\n .*${flag} \\d+ is free, ${flag} 0 takes any\n$`),
    );
    assert.equal(existsSync(join(instance.stateDir, "instance.json")), false);
    await instance.assertNothingLeft();
  });
}

test("a second up shows the first; another checkout and --fresh are refused; a damaged record changes nothing", async (t) => {
  const instance = createLoneInstance(t);
  const first = await instance.argyle("up", "-d", ...QUIET);
  assert.equal(first.code, 0, first.stderr);

  const second = await instance.argyle("up", "-d", ...QUIET);
  assert.equal(second.code, 0, second.stderr);
  assert.match(second.stderr, /instance argyle is already running/);
  assert.match(second.stderr, /are for a new start/);
  assert.match(second.stdout, /^cluster +running/m);

  const fresh = await instance.argyle("up", "-d", "--fresh");
  assert.equal(fresh.code, 4);
  assert.match(fresh.stderr, /is running, and --fresh would remove its state\n {2}end it first with: \.\/argyle down/);

  const file = join(instance.stateDir, "instance.json");
  const record = readFileSync(file, "utf8");
  writeFileSync(file, JSON.stringify({ ...JSON.parse(record), checkout: "/elsewhere/argyle" }));
  const other = await instance.argyle("up", "-d");
  assert.equal(other.code, 4);
  assert.match(
    other.stderr,
    /already runs from \/elsewhere\/argyle .*\n {2}end it first with: \/elsewhere\/argyle\/argyle down/,
  );

  for (const damage of ["", "{ torn", "[]"]) {
    writeFileSync(file, damage);
    const status = await instance.argyle("status");
    assert.equal(status.code, 0, status.stderr);
    assert.match(status.stdout, /^cluster +running/m);
    const again = await instance.argyle("up", "-d");
    assert.equal(again.code, 0, again.stderr);
  }
  const down = await instance.argyle("down");
  assert.equal(down.code, 0, down.stderr);
  await instance.assertNothingLeft();
  writeFileSync(file, "{ torn");
  const restarted = await instance.argyle("up", "-d", ...QUIET);
  assert.equal(restarted.code, 0, restarted.stderr);
});

test("the store: a torn tail is cut off; damage in the middle is an error with advice, and nothing runs on", async (t) => {
  const instance = createLoneInstance(t);
  const log = join(instance.stateDir, "store/log");
  assert.equal((await instance.argyle("up", "-d", ...QUIET)).code, 0);
  assert.equal((await instance.argyle("down")).code, 0);

  truncateSync(log, readFileSync(log).length - 5);
  const torn = await instance.argyle("up", "-d", ...QUIET);
  assert.equal(torn.code, 0, torn.stderr);
  assert.equal((await instance.argyle("down")).code, 0);
  assert.match(readFileSync(join(instance.stateDir, "logs/cluster.log"), "utf8"), /cut off a torn record/);

  const bytes = readFileSync(log);
  bytes.write("#", 200);
  writeFileSync(log, bytes);
  const up = instance.foreground(...QUIET);
  const { code, output } = await up.ended;
  assert.equal(code, 1, output);
  assert.match(
    output,
    /^argyle: the API server does not start:\n {2}cluster: the store \S+ is damaged at byte \d+ of \d+\n.*--fresh/m,
  );
  await instance.assertNothingLeft();
  assert.deepEqual(readFileSync(log), bytes, "the damaged log is as it was");

  const detached = await instance.argyle("up", "-d", ...QUIET);
  assert.equal(detached.code, 1);
  assert.match(detached.stderr, /what did start is left running for a look: .*\n.*\.\/argyle down ends it\n$/);
  assert.equal((await instance.argyle("down")).code, 0);
  assert.equal((await instance.argyle("up", "-d", "--fresh", ...QUIET)).code, 0);
});

test("a disk that is nearly full is refused", async (t) => {
  const instance = createLoneInstance(t);
  const why = instance.mountSmallDisk(instance.stateDir, 8);
  if (why !== undefined) return t.skip(why);
  const { code, stderr } = await instance.argyle("up", "-d", ...QUIET);
  assert.equal(code, 1);
  assert.match(
    stderr,
    /^argyle: only \d MB are free where \S+ lies\n {2}free at least 200 MB, or set ARGYLE_STATE_DIR/,
  );
  await instance.assertNothingLeft();
});

test("a disk that fills up later: the API refuses writes with a clear Status, keeps what it has, and goes on when there is space", {
  skip: withoutKubectl,
}, async (t) => {
  const instance = createLoneInstance(t);
  const why = instance.mountSmallDisk(instance.stateDir, 260);
  if (why !== undefined) return t.skip(why);
  const started = await instance.argyle("up", "-d", ...QUIET);
  assert.equal(started.code, 0, started.stderr);
  const kubectl = kubectlOf(instance);
  assert.equal((await kubectl("create", "configmap", "before")).code, 0);
  const filler = join(instance.stateDir, "filler");
  fillDisk(filler);
  const refused = await kubectl("create", "configmap", "full", `--from-literal=a=${"x".repeat(8192)}`);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /no space left on the device that holds the store/);
  assert.equal((await kubectl("get", "configmap", "before", "-o", "name")).stdout, "configmap/before\n");
  assert.match((await kubectl("get", "configmap", "full")).stderr, /NotFound/);
  rmSync(filler);
  assert.equal((await kubectl("create", "configmap", "after")).code, 0);
  assert.equal((await instance.argyle("down")).code, 0);
});

test("a state directory that can't be written is named, with advice", async (t) => {
  const instance = createLoneInstance(t);
  const states = String(instance.env.ARGYLE_STATE_DIR);
  if (process.getuid?.() === 0) {
    const why = instance.mountSmallDisk(states, 1);
    if (why !== undefined) return t.skip(why);
    execFileSync("mount", ["-o", "remount,ro", states]);
  } else {
    chmodSync(states, 0o500);
    t.after(() => chmodSync(states, 0o700));
  }
  const { code, stderr } = await instance.argyle("up", "-d", ...QUIET);
  assert.equal(code, 1);
  assert.match(
    stderr,
    /^argyle: cannot write the state directory \S+: (the file system is read-only|permission denied)\n {2}set ARGYLE_STATE_DIR/,
  );
  await instance.assertNothingLeft();
});

const homes: readonly { name: string; options: Parameters<typeof createLoneInstance>[1] }[] = [
  { name: "HOME is not set", options: { env: { HOME: undefined } } },
  { name: "spaces and quotes in the path", options: { below: 'a b\'s "c"' } },
  { name: "a very long path", options: { below: Array(10).fill("d".repeat(100)).join("/") } },
];
for (const { name, options } of homes) {
  test(`works: ${name}`, { skip: withoutKubectl }, async (t) => {
    const instance = createLoneInstance(t, options);
    const { code, stderr } = await instance.argyle("up", "-d", ...QUIET);
    assert.equal(code, 0, stderr);
    assert.equal((await instance.argyle("status")).code, 0);
    const kubectl = kubectlOf(instance);
    const flags = ["--image=host", "--restart=Never", "--command", "--", "sh", "-c", "echo hello; sleep 600"];
    assert.equal((await kubectl("run", "greeter", ...flags)).code, 0);
    const ready = await kubectl("wait", "--for=condition=Ready", "pod/greeter", "--timeout=10s");
    assert.equal(ready.code, 0, ready.stderr);
    await eventually("the log is there", async () =>
      assert.equal((await kubectl("logs", "greeter")).stdout, "hello\n"),
    );
    const kubeconfig = await instance.argyle("kubeconfig");
    assert.equal(kubeconfig.stdout, `${join(instance.stateDir, "kubeconfig")}\n`);
  });
}

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  test(`${signal} while it runs ends everything: 0`, async (t) => {
    const instance = createLoneInstance(t);
    const up = instance.foreground(...QUIET);
    await up.said(/Ctrl-C stops everything/);
    up.child.kill(signal);
    const { code, output } = await up.ended;
    // A process whose terminal was closed ends as by default, of that signal.
    assert.equal(code ?? up.child.signalCode, signal === "SIGHUP" ? "SIGHUP" : 0, output);
    assert.match(output, /stopped {2}\d+\.\d s, state is kept in /);
    await instance.assertNothingLeft();
  });
}

for (const delayMs of [60, 90, 120, 160, 220, 300]) {
  test(`Ctrl-C ${delayMs} ms into the start ends everything: 130`, async (t) => {
    const instance = createLoneInstance(t);
    const up = instance.foreground("--demo", "mesh", "--api-port", "0", "--gateway-port", "0");
    await new Promise((resolve) => setTimeout(resolve, delayMs));
    up.child.kill("SIGINT");
    const { code, output } = await up.ended;
    // Before the command line is loaded, the signal ends Node itself.
    if (code !== null) {
      assert.equal(code, 130, output);
      assert.match(output, /argyle: interrupted\n$/);
    }
    await instance.assertNothingLeft();
  });
}

test("Ctrl-C on a real terminal: the terminal is as before", { skip: process.platform === "win32" }, async (t) => {
  const instance = createLoneInstance(t);
  const script = `trap : INT; stty -g; '${process.execPath}' '${CLI}' up ${QUIET.join(" ")}; echo "code $?"; stty -g`;
  const terminal = spawnOnTerminal("/bin/sh", ["-c", script], {
    env: instance.env as Record<string, string>,
    cols: 120,
  });
  let output = "";
  terminal.onData((text) => {
    output += text;
    if (/Ctrl-C stops everything/.test(output) && !output.includes("^C")) terminal.write("\x03");
  });
  await new Promise<void>((resolve) => terminal.onExit(() => resolve()));
  assert.match(output, /code 0/);
  const settings = output.split(/\r?\n/).filter((line) => /^[0-9a-f]+(:[0-9a-f]+){5,}$/.test(line.trim()));
  assert.equal(settings.length, 2, output);
  assert.equal(settings[0], settings[1]);
  await instance.assertNothingLeft();
});

test("closing the terminal ends everything", async (t) => {
  const instance = createLoneInstance(t);
  const options = { env: instance.env as Record<string, string>, cols: 120 };
  const terminal = spawnOnTerminal(process.execPath, [CLI, "up", ...QUIET], options);
  let output = "";
  const isUp = new Promise<void>((resolve) => {
    terminal.onData((text) => {
      output += text;
      if (/Ctrl-C stops everything/.test(output)) resolve();
    });
  });
  await isUp;
  terminal.kill("SIGHUP");
  await instance.assertNothingLeft();
});

test("kill -9 of the foreground leaves the instance running: status shows it, up follows it, down ends it", async (t) => {
  const instance = createLoneInstance(t);
  const up = instance.foreground(...QUIET);
  await up.said(/Ctrl-C stops everything/);
  up.child.kill("SIGKILL");
  await up.ended;
  const status = await instance.argyle("status");
  assert.equal(status.code, 0, status.stderr);
  assert.match(status.stdout, /^cluster +running/m);
  const follower = instance.foreground();
  await follower.said(/following it; Ctrl-C leaves it running, \.\/argyle down ends it/);
  follower.child.kill("SIGINT");
  assert.equal((await follower.ended).code, 0);
  const another = instance.foreground();
  await another.said(/following it/);
  assert.equal((await instance.argyle("down")).code, 0);
  const { code, output } = await another.ended;
  assert.equal(code, 0, output);
  assert.match(output, /instance argyle was stopped\n$/);
  await instance.assertNothingLeft();
});

test("a start that was killed is finished by the next one", async (t) => {
  const instance = createLoneInstance(t);
  const up = instance.foreground("--demo", "mesh", "--api-port", "0", "--gateway-port", "0");
  await up.said(/^api /m);
  up.child.kill("SIGKILL");
  await up.ended;
  assert.notEqual(processesOf(instance.stateDir).length, 0);
  const { code, stderr } = await instance.argyle("up", "-d");
  assert.equal(code, 0, stderr);
  assert.match(stderr, /an earlier start was cut short, going on with it/);
  assert.match((await instance.argyle("status")).stdout, /istio-system\/istiod-\S+ +running/);
});

test("what the user changed in the control plane survives a stop, and the gateway's port follows the start", {
  skip: withoutKubectl,
}, async (t) => {
  const instance = createLoneInstance(t);
  const first = await instance.argyle("up", "-d", "--demo", "mesh", "--api-port", "0", "--gateway-port", "0");
  assert.equal(first.code, 0, first.stderr);
  const kubectl = kubectlOf(instance);
  const data = { data: { mesh: "outboundTrafficPolicy: {mode: REGISTRY_ONLY}\n" } };
  const system = ["-n", "istio-system"];
  assert.equal((await kubectl(...system, "patch", "configmap", "istio", "-p", JSON.stringify(data))).code, 0);
  assert.equal((await kubectl(...system, "delete", "service", "istio-ingressgateway")).code, 0);
  assert.equal((await instance.argyle("down")).code, 0);

  const again = await instance.argyle("up", "-d", "--api-port", "0", "--gateway-port", "0");
  assert.equal(again.code, 0, again.stderr);
  const mesh = await kubectl(...system, "get", "configmap", "istio", "-o", "jsonpath={.data.mesh}");
  assert.equal(mesh.stdout, data.data.mesh);
  const port = `{.spec.ports[?(@.name=="http2")].port}`;
  const service = await kubectl(...system, "get", "service", "istio-ingressgateway", "-o", `jsonpath=${port}`);
  const { gatewayPort } = JSON.parse(readFileSync(join(instance.stateDir, "instance.json"), "utf8"));
  assert.equal(service.stdout, String(gatewayPort));
});

test("two starts at once: one wins, the other ends with 4", async (t) => {
  const instance = createLoneInstance(t);
  const outcomes = await Promise.all([instance.argyle("up", "-d", ...QUIET), instance.argyle("up", "-d", ...QUIET)]);
  const codes = outcomes.map(({ code }) => code).sort();
  // The second may also come late enough to see the first one up.
  assert.ok(codes[0] === 0 && (codes[1] === 4 || codes[1] === 0), JSON.stringify(outcomes));
  const supervisors = processesOf(instance.stateDir).filter((line) => line.includes("supervisor.cjs"));
  assert.equal(supervisors.length, 1, supervisors.join("\n"));
});

test("output that nobody reads any more ends nothing", async (t) => {
  const instance = createLoneInstance(t);
  const child = spawn("sh", ["-c", `'${process.execPath}' '${CLI}' help | head -1`], {
    env: instance.env,
    stdio: "pipe",
  });
  let errors = "";
  child.stderr.on("data", (chunk: Buffer) => {
    errors += chunk;
  });
  await new Promise((resolve) => child.on("close", resolve));
  assert.equal(errors, "");
});

function kubectlOf(instance: LoneInstance) {
  const program = findKubectls()[0]?.path ?? "kubectl";
  // Without HOME kubectl would keep its cache below the working directory.
  const env = {
    ...instance.env,
    KUBECONFIG: join(instance.stateDir, "kubeconfig"),
    KUBECACHEDIR: join(instance.stateDir, "kubectl-cache"),
  };
  return (...args: string[]) => run(program, args, { env });
}

/** Writes until there is no space left. */
function fillDisk(path: string): void {
  const fd = openSync(path, "w");
  try {
    for (const bytes of [Buffer.alloc(1024 * 1024), Buffer.alloc(512)]) {
      assert.throws(
        () => {
          for (;;) writeSync(fd, bytes);
        },
        { code: "ENOSPC" },
      );
    }
  } finally {
    closeSync(fd);
  }
}

/** Holds a port on 127.0.0.1 for the time of the test; one that is held by somebody else already is as good. */
async function holdPort(scope: { after(fn: () => void): void }, port: number): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once("listening", resolve);
    server.once("error", (error: NodeJS.ErrnoException) => (error.code === "EADDRINUSE" ? resolve() : reject(error)));
    server.listen(port, "127.0.0.1");
  });
  scope.after(() => void server.close());
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : port;
}
