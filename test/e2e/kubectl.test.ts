/** What people do with kubectl, with every kubectl that is here, on every kind and version that the API serves. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { after, before, describe, test } from "node:test";
import { apiVersionOf, RESOURCES } from "@argyle/kube-types";
import { eventually } from "@argyle/testkit";
import { findKubectls, type MiniCluster, startMiniCluster, withoutKubectl } from "../mini-cluster.ts";
import { minimalObjects } from "../minimal-objects.ts";

let cluster: MiniCluster;
const cleanups: (() => Promise<void> | void)[] = [];
before(async () => {
  if (withoutKubectl !== false) return;
  cluster = await startMiniCluster({ after: (fn) => void cleanups.push(fn) }, { demo: "none" });
});
after(async () => {
  for (const cleanup of cleanups) await cleanup();
});

describe("every kubectl", { concurrency: 2, skip: withoutKubectl }, () => {
  // The PATH's may be of any age; it is tried only where there is no other.
  const known = findKubectls().filter(({ version }) => version !== "PATH");
  for (const { version, path } of known.length > 0 ? known : findKubectls().slice(0, 1)) {
    describe(`kubectl ${version}`, { concurrency: 1 }, () => allVerbs(version, path));
  }
});

const toYaml = (objects: readonly unknown[]) => objects.map((object) => `---\n${JSON.stringify(object)}\n`).join("");

function allVerbs(version: string, program: string): void {
  const namespace = `kubectl-${version
    .replaceAll(/[^0-9a-z]/gi, "-")
    .replace(/^-/, "")
    .toLowerCase()}`;
  const suffix = namespace.slice("kubectl-".length);
  const attempt = (args: readonly string[], input?: unknown) =>
    cluster.tryKubectl(["-n", namespace, ...args], {
      program,
      ...(input === undefined ? {} : { input: typeof input === "string" ? input : JSON.stringify(input) }),
    });
  const kubectl = async (args: readonly string[], input?: unknown) => {
    const outcome = await attempt(args, input);
    assert.equal(outcome.code, 0, `kubectl ${args.join(" ")}: ${outcome.stderr}`);
    return outcome.stdout;
  };
  const samples = minimalObjects(namespace, suffix);

  before(async () => void (await kubectl(["create", "namespace", namespace])));

  test("an unknown field is refused with its path, for every kind and version, and nothing is stored", async () => {
    const { code, stdout, stderr } = await attempt(["create", "-f", "-"], toYaml(samples.map(({ wrong }) => wrong)));
    assert.equal(code, 1);
    assert.equal(stdout, "");
    const complaints = stderr.trim().split("\n");
    for (const { object, version: served, wrongPath } of samples) {
      const said = complaints.filter((line) => line.includes(`: ${object.kind} in version "${served}"`));
      assert.equal(said.length, 1, `${object.apiVersion} ${object.kind}: ${said.join("\n")}`);
      assert.match(
        String(said[0]),
        new RegExp(`\\(BadRequest\\).*strict decoding error: unknown field "${wrongPath}"$`),
      );
    }
    assert.equal(complaints.length, samples.length, stderr);
  });

  test("unknown fields deep in an object are all named with their paths", async () => {
    const { code, stderr } = await attempt(["apply", "-f", "-"], {
      apiVersion: "networking.istio.io/v1",
      kind: "VirtualService",
      metadata: { name: "deep" },
      spec: { hots: ["a"], http: [{ route: [{ destination: { host: "a", prot: 1 } }] }] },
    });
    assert.equal(code, 1);
    assert.match(stderr, /unknown field "spec.hots"/);
    assert.match(stderr, /unknown field "spec.http\[0\].route\[0\].destination.prot"/);
  });

  test("a minimal object of every kind and version is accepted, read, described and deleted", async () => {
    const all = toYaml(samples.map(({ object }) => object));
    const nameOf = ({ object, resource }: (typeof samples)[number]) =>
      `${resource.singular}${resource.group === "" ? "" : `.${resource.group}`}/${object.metadata.name}`;
    const created = await kubectl(["apply", "-f", "-"], all);
    for (const sample of samples) assert.ok(created.includes(`${nameOf(sample)} created\n`), nameOf(sample));

    const unchanged = await kubectl(["apply", "-f", "-"], all);
    for (const line of unchanged.trim().split("\n")) assert.match(line, / (unchanged|configured)$/);

    const read = JSON.parse(await kubectl(["get", "-f", "-", "-o", "json"], all)) as {
      readonly items: readonly {
        readonly apiVersion: string;
        readonly kind: string;
        readonly metadata: { readonly name: string };
      }[];
    };
    assert.deepEqual(
      read.items.map(({ apiVersion, kind, metadata }) => [apiVersion, kind, metadata.name]),
      samples.map(({ object }) => [object.apiVersion, object.kind, object.metadata.name]),
    );
    const described = await kubectl(["describe", "-f", "-"], all);
    for (const { object } of samples) assert.match(described, new RegExp(`^Name: +${object.metadata.name}$`, "m"));

    const deleted = await kubectl(["delete", "--timeout=20s", "-f", "-"], all);
    assert.equal(
      deleted
        .trim()
        .split("\n")
        .filter((line) => / (force )?deleted/.test(line)).length,
      samples.length,
      deleted,
    );
    const gone = await attempt(["get", "-f", "-", "--ignore-not-found", "-o", "name"], all);
    assert.equal(gone.stdout, "");
  });

  test("an Istio object is one object under all its versions", async () => {
    const custom = RESOURCES.filter((resource) => resource.custom === true && resource.versions.length > 1);
    const objects = samples.filter(
      ({ resource, version: v }) => custom.includes(resource) && v === resource.versions[0],
    );
    await kubectl(["apply", "-f", "-"], toYaml(objects.map(({ object }) => object)));
    for (const { resource, object } of objects) {
      for (const served of resource.versions) {
        const apiVersion = await kubectl([
          "get",
          `${resource.plural}.${served}.${resource.group}`,
          object.metadata.name,
          "-o",
          "jsonpath={.apiVersion}",
        ]);
        assert.equal(apiVersion, apiVersionOf(resource, served));
      }
    }
    await kubectl(["delete", "-f", "-"], toYaml(objects.map(({ object }) => object)));
  });

  const configMap = (data: Readonly<Record<string, string>>) => ({
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: "colours" },
    data,
  });
  const dataOf = async () =>
    JSON.parse(await kubectl(["get", "configmap", "colours", "-o", "jsonpath={.data}"])) as unknown;

  test("client-side apply merges three ways: a field that left the file leaves the object, others' stay", async () => {
    await kubectl(["apply", "-f", "-"], configMap({ ours: "1", gone: "1" }));
    await kubectl(["patch", "configmap", "colours", "-p", '{"data":{"theirs":"1"}}']);
    await kubectl(["apply", "-f", "-"], configMap({ ours: "2" }));
    assert.deepEqual(await dataOf(), { ours: "2", theirs: "1" });
  });

  test("diff shows what apply would change and ends with 1", async () => {
    const same = await attempt(["diff", "-f", "-"], configMap({ ours: "2" }));
    assert.equal(same.code, 0, same.stderr);
    const { code, stdout } = await attempt(["diff", "-f", "-"], configMap({ ours: "3" }));
    assert.equal(code, 1);
    assert.match(stdout, /^- +ours: "2"$/m);
    assert.match(stdout, /^\+ +ours: "3"$/m);
    assert.deepEqual(await dataOf(), { ours: "2", theirs: "1" });
  });

  test("server-side apply keeps owners, reports conflicts and overrides them when told", async () => {
    await kubectl(["delete", "configmap", "colours"]);
    await kubectl(["apply", "--server-side", "--field-manager=one", "-f", "-"], configMap({ a: "1", b: "1" }));
    const conflict = await attempt(["apply", "--server-side", "--field-manager=two", "-f", "-"], configMap({ a: "2" }));
    assert.equal(conflict.code, 1);
    assert.match(conflict.stderr, /Apply failed with 1 conflict: conflict with "one": \.data\.a/);
    await kubectl(
      ["apply", "--server-side", "--field-manager=two", "--force-conflicts", "-f", "-"],
      configMap({ a: "2" }),
    );
    await kubectl(["apply", "--server-side", "--field-manager=one", "-f", "-"], configMap({}));
    assert.deepEqual(await dataOf(), { a: "2" });
  });

  for (const [type, patch] of [
    ["merge", '{"data":{"a":null,"m":"1"}}'],
    ["json", '[{"op":"add","path":"/data/j","value":"1"}]'],
    ["strategic", '{"data":{"s":"before"}}'],
  ] as const) {
    test(`patch --type=${type}`, async () => {
      assert.match(await kubectl(["patch", "configmap", "colours", `--type=${type}`, "-p", patch]), / patched$/m);
    });
  }

  test("edit, label, annotate", async () => {
    assert.deepEqual(await dataOf(), { m: "1", j: "1", s: "before" });
    const env = {
      ...process.env,
      KUBECONFIG: cluster.kubeconfig,
      HOME: cluster.stateDir,
      KUBE_EDITOR: "sed -i s/before/after/",
    };
    const edited = spawn(program, ["-n", namespace, "edit", "configmap", "colours"], {
      env,
      stdio: ["ignore", "pipe", "pipe"],
    });
    assert.match(await outputOf(edited), /configmap\/colours edited/);
    assert.deepEqual(await dataOf(), { m: "1", j: "1", s: "after" });
    await kubectl(["label", "configmap", "colours", "tone=dark"]);
    assert.equal((await attempt(["label", "configmap", "colours", "tone=light"])).code, 1);
    await kubectl(["label", "--overwrite", "configmap", "colours", "tone=light"]);
    await kubectl(["annotate", "configmap", "colours", "why=because"]);
    assert.equal(await kubectl(["get", "configmap", "-l", "tone=light", "-o", "name"]), "configmap/colours\n");
    assert.equal(await kubectl(["get", "configmap", "-l", "tone in (dark)", "-o", "name"]), "");
    const why = ["get", "configmap", "colours", "-o", "jsonpath={.metadata.annotations.why}{.metadata.labels.tone}"];
    assert.equal(await kubectl(why), "becauselight");
    await kubectl(["label", "configmap", "colours", "tone-"]);
    await kubectl(["annotate", "configmap", "colours", "why-"]);
    assert.equal(await kubectl(why), "");
  });

  test("a watch sees ADDED, MODIFIED and DELETED", async () => {
    const watch = spawn(
      program,
      ["-n", namespace, "get", "configmap", "-w", "-l", "watched=yes", "--output-watch-events"],
      { env: { ...process.env, KUBECONFIG: cluster.kubeconfig }, stdio: ["ignore", "pipe", "pipe"] },
    );
    let seen = "";
    watch.stdout?.on("data", (chunk: Buffer) => {
      seen += chunk;
    });
    const sees = (type: string) =>
      eventually(`the watch sees ${type}`, () => assert.match(seen, new RegExp(`^${type} +watched `, "m")));
    try {
      await kubectl(["apply", "-f", "-"], {
        ...configMap({ a: "1" }),
        metadata: { name: "watched", labels: { watched: "yes" } },
      });
      await sees("ADDED");
      await kubectl(["patch", "configmap", "watched", "-p", '{"data":{"a":"2"}}']);
      await sees("MODIFIED");
      await kubectl(["delete", "configmap", "watched"]);
      await sees("DELETED");
    } finally {
      watch.kill("SIGTERM");
    }
  });

  const deployment = (seconds: number) => ({
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "sleeper" },
    spec: {
      replicas: 1,
      selector: { matchLabels: { app: "sleeper" } },
      template: {
        metadata: { labels: { app: "sleeper" } },
        spec: {
          terminationGracePeriodSeconds: 1,
          containers: [{ name: "main", image: "host", command: ["sleep", String(seconds)] }],
        },
      },
    },
  });
  const commandOf = () =>
    kubectl(["get", "deployment", "sleeper", "-o", "jsonpath={.spec.template.spec.containers[0].command[1]}"]);

  test("rollout status, wait, scale", async () => {
    await kubectl(["apply", "-f", "-"], deployment(501));
    assert.match(
      await kubectl(["rollout", "status", "deployment/sleeper", "--timeout=20s"]),
      /successfully rolled out/,
    );
    await kubectl(["wait", "--for=condition=Available", "deployment/sleeper", "--timeout=20s"]);
    await kubectl(["wait", "--for=condition=Ready", "pod", "-l", "app=sleeper", "--timeout=20s"]);
    await kubectl(["wait", "--for=jsonpath={.status.readyReplicas}=1", "deployment/sleeper", "--timeout=20s"]);
    await kubectl(["scale", "deployment/sleeper", "--replicas=2"]);
    await kubectl(["wait", "--for=jsonpath={.status.readyReplicas}=2", "deployment/sleeper", "--timeout=20s"]);
    await kubectl(["scale", "deployment/sleeper", "--current-replicas=2", "--replicas=1"]);
    assert.equal((await attempt(["scale", "deployment/sleeper", "--current-replicas=7", "--replicas=3"])).code, 1);
    const never = await attempt(["wait", "--for=delete", "deployment/sleeper", "--timeout=100ms"]);
    assert.equal(never.code, 1);
    assert.match(never.stderr, /timed out waiting/);
  });

  test("rollout history, undo and restart", async () => {
    await kubectl(["apply", "-f", "-"], deployment(502));
    await kubectl(["rollout", "status", "deployment/sleeper", "--timeout=20s"]);
    assert.match(await kubectl(["rollout", "history", "deployment/sleeper"]), /^1 .*\n2 /m);
    assert.match(await kubectl(["rollout", "undo", "deployment/sleeper"]), /rolled back/);
    await kubectl(["rollout", "status", "deployment/sleeper", "--timeout=20s"]);
    assert.equal(await commandOf(), "501");
    const podsBefore = await kubectl(["get", "pods", "-l", "app=sleeper", "-o", "name"]);
    await kubectl(["rollout", "restart", "deployment/sleeper"]);
    await kubectl(["rollout", "status", "deployment/sleeper", "--timeout=20s"]);
    await eventually("other pods run", async () => {
      const now = await kubectl([
        "get",
        "pods",
        "-l",
        "app=sleeper",
        "--field-selector=status.phase=Running",
        "-o",
        "name",
      ]);
      assert.ok(now !== "" && !podsBefore.includes(now.trim().split("\n")[0] ?? ""), now);
    });
    await kubectl(["delete", "deployment", "sleeper", "--timeout=20s"]);
    await kubectl(["wait", "--for=delete", "pod", "-l", "app=sleeper", "--timeout=20s"]);
  });

  test("auth can-i and whoami", async () => {
    assert.equal(await kubectl(["auth", "can-i", "create", "deployments"]), "yes\n");
    assert.match(await kubectl(["auth", "can-i", "--list"]), /\*\.\*/);
    assert.match(await kubectl(["auth", "whoami"]), /Username +\S+/);
  });

  test("api-resources and api-versions list what the registry has", async () => {
    const names = (await kubectl(["api-resources", "-o", "name"])).split("\n");
    const versions = (await kubectl(["api-versions"])).split("\n");
    for (const resource of RESOURCES) {
      assert.ok(
        names.includes(resource.group === "" ? resource.plural : `${resource.plural}.${resource.group}`),
        resource.plural,
      );
      for (const served of resource.versions) assert.ok(versions.includes(apiVersionOf(resource, served)));
    }
    const istio = (await kubectl(["get", "istio-io", "-o", "name"])).trim();
    assert.equal(istio, "");
  });

  for (const [path, words] of [
    ["pods.spec.containers.image", /FIELD: +image <string>/],
    ["deployment.spec.strategy", /FIELD: +strategy/],
    ["virtualservices.spec.http.route.weight", /FIELD: +weight <integer>/],
    ["destinationrule --api-version=networking.istio.io/v1beta1", /VERSION: +v1beta1/],
  ] as const) {
    test(`explain ${path}`, async () => assert.match(await kubectl(["explain", ...path.split(" ")]), words));
  }

  test("a table has Kubernetes' columns; custom columns, sorting and -A work", async () => {
    assert.match(await kubectl(["get", "namespaces"]), /^NAME +STATUS +AGE\n/);
    assert.match(
      await kubectl(["get", "pods", "-A", "-o", "wide"]).then((t) => t || "No resources"),
      /NAMESPACE|No resources/,
    );
    const names = await kubectl([
      "get",
      "namespaces",
      "--sort-by=.metadata.name",
      "-o",
      "custom-columns=N:.metadata.name",
    ]);
    const [header, ...rows] = names.trim().split("\n");
    assert.equal(header, "N");
    assert.deepEqual(rows, [...rows].sort());
  });
}

function outputOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    let text = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on("data", (chunk: Buffer) => {
        text += chunk;
      });
    }
    child.on("close", () => resolve(text));
  });
}
