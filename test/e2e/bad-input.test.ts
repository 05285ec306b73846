/** What people get wrong in manifests: one clear message each, and nothing half applied. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { eventually } from "@argyle/testkit";
import { type MiniCluster, startMiniCluster, withoutKubectl } from "../mini-cluster.ts";

describe("bad input", { skip: withoutKubectl }, () => {
  let cluster: MiniCluster;
  const cleanups: (() => Promise<void> | void)[] = [];
  before(async () => {
    cluster = await startMiniCluster({ after: (fn) => void cleanups.push(fn) }, { demo: "mesh" });
  });
  after(async () => {
    for (const cleanup of cleanups) await cleanup();
  });
  const apply = (input: string) => cluster.tryKubectl(["apply", "-f", "-"], { input });
  const virtualService = (spec: string) => `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: bad}
spec: ${spec}
`;

  const refused: readonly { readonly name: string; readonly manifest: string; readonly says: readonly RegExp[] }[] = [
    {
      name: "malformed YAML",
      manifest: "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: bad\n data: {\n",
      says: [/error parsing STDIN: error converting YAML to JSON: yaml: line \d+/],
    },
    {
      name: "an unknown kind",
      manifest: "apiVersion: v1\nkind: ConfigMapp\nmetadata: {name: bad}\n",
      says: [/no matches for kind "ConfigMapp" in version "v1"/],
    },
    {
      name: "a kind under a version that is not served",
      manifest: "apiVersion: networking.istio.io/v2\nkind: VirtualService\nmetadata: {name: bad}\n",
      says: [/no matches for kind "VirtualService" in version "networking.istio.io\/v2"/],
    },
    {
      name: "unknown fields",
      manifest: virtualService("{hots: [a], http: [{route: [{destination: {host: a, sub: x}}]}]}"),
      says: [/unknown field "spec\.hots"/, /unknown field "spec\.http\[0\]\.route\[0\]\.destination\.sub"/],
    },
    {
      name: "a value of the wrong type",
      manifest: virtualService('{hosts: [a], http: [{route: [{destination: {host: a}, weight: "much"}]}]}'),
      says: [/spec\.http\[0\]\.route\[0\]\.weight/, /integer/],
    },
    {
      name: "a name that is none",
      manifest: "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: Bad_Name}\n",
      says: [/metadata\.name: Invalid value: "Bad_Name"/, /RFC 1123/],
    },
    {
      name: "a namespace that does not exist",
      manifest: "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: bad, namespace: nowhere}\n",
      says: [/namespaces "nowhere" not found/],
    },
    {
      name: "a VirtualService with several mistakes: all are named",
      manifest: virtualService(
        '{hosts: ["-bad-"], http: [{route: [{destination: {host: a}, weight: -1}], timeout: 0.5ms}, {fault: {abort: {httpStatus: 7, percentage: {value: 100}}}, route: [{destination: {host: a}}]}]}',
      ),
      says: [
        /admission webhook "\S*validation\S*" denied the request/,
        /host/,
        /weight/,
        /timeout|duration/,
        /7|httpStatus|HTTP status/,
      ],
    },
    {
      name: "a DestinationRule with several mistakes: all are named",
      manifest: `apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: bad}
spec: {host: "", subsets: [{name: a}, {name: a}], trafficPolicy: {connectionPool: {http: {maxRequestsPerConnection: -1}}}}
`,
      says: [/denied the request/, /host/, /duplicate|uniqu|a\b/i, /maxRequestsPerConnection|max requests/i],
    },
    {
      name: "a Gateway without servers",
      manifest: "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {name: bad}\nspec: {servers: []}\n",
      says: [/denied the request/, /server/],
    },
    {
      name: "an AuthorizationPolicy with an action that does not exist",
      manifest:
        "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: bad}\nspec: {action: PERMIT}\n",
      says: [/spec\.action/, /PERMIT/],
    },
  ];
  for (const { name, manifest, says } of refused) {
    test(`${name} is refused and nothing is stored`, async () => {
      const before = await objects();
      const { code, stdout, stderr } = await apply(manifest);
      assert.equal(code, 1, `accepted: ${stdout}`);
      for (const words of says) assert.match(stderr, words);
      assert.deepEqual(await objects(), before);
    });
  }

  test("a good object beside a bad one is applied, the bad one is named", async () => {
    const { code, stdout, stderr } = await apply(
      `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: good}\n---\n${virtualService("{hosts: []}")}`,
    );
    assert.equal(code, 1);
    assert.equal(stdout, "configmap/good created\n");
    assert.match(stderr, /denied the request/);
    await cluster.kubectl("delete", "configmap", "good");
  });

  test("an unknown image: the pod waits, its event says what to do", async () => {
    await cluster.kubectl("run", "mystery", "--image=example.com/no/such:1", "--restart=Never");
    await eventually("the pod says why", async () => {
      const reason = await cluster.kubectl(
        "get",
        "pod",
        "mystery",
        "-o",
        "jsonpath={.status.containerStatuses[0].state.waiting.reason}",
      );
      assert.match(reason, /ErrImageNotInIndex|ImagePullBackOff|ErrImagePull/);
    });
    await eventually("an event has advice", async () => {
      const events = await cluster.kubectl(
        "get",
        "events",
        "--field-selector=involvedObject.name=mystery",
        "-o",
        "json",
      );
      const messages = (JSON.parse(events) as { items: readonly { message: string }[] }).items.map((e) => e.message);
      assert.match(messages.join("\n"), /example\.com\/no\/such:1/);
      assert.match(messages.join("\n"), /image: host/);
    });
    assert.match(await cluster.kubectl("describe", "pod", "mystery"), /image: host/);
    await cluster.kubectl("delete", "pod", "mystery", "--timeout=20s");
  });

  test("a host program that does not exist: the pod says so", async () => {
    await cluster.kubectl("run", "lost", "--image=host", "--restart=Never", "--command", "--", "/no/such/program");
    await eventually("the container has ended with 127", async () => {
      const code = "jsonpath={.status.containerStatuses[0].state.terminated.exitCode}";
      assert.equal(await cluster.kubectl("get", "pod", "lost", "-o", code), "127");
    });
    await eventually("its log names the program", async () =>
      assert.match(await cluster.kubectl("logs", "lost"), /\/no\/such\/program/),
    );
    await cluster.kubectl("delete", "pod", "lost", "--timeout=20s");
  });

  test("kubectl apply of our own manifests warns of nothing and changes no running pod", async () => {
    const pods = () => cluster.kubectl("-n", "istio-system", "get", "pods", "-o", "jsonpath={.items[*].metadata.uid}");
    const before = await pods();
    const { code, stderr } = await cluster.tryKubectl(["apply", "-f", "demo/0-istio/"]);
    assert.equal(code, 0, stderr);
    assert.equal(stderr, "");
    assert.equal(await pods(), before);
  });

  /** Everything that a refused manifest could have left: names of all that was applied. */
  async function objects(): Promise<string> {
    return cluster.kubectl(
      "get",
      "configmap,virtualservice,destinationrule,gateway,authorizationpolicy",
      "-A",
      "-o",
      "name",
    );
  }
});
