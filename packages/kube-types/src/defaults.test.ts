import assert from "node:assert/strict";
import { test } from "node:test";
import { applyDefaults } from "./defaults.ts";

interface Case {
  readonly name: string;
  readonly object: { readonly apiVersion: string; readonly kind: string };
  readonly expected: unknown;
}

const container = {
  terminationMessagePath: "/dev/termination-log",
  terminationMessagePolicy: "File",
  resources: {},
};
const spec = {
  restartPolicy: "Always",
  dnsPolicy: "ClusterFirst",
  terminationGracePeriodSeconds: 30,
  securityContext: {},
  schedulerName: "default-scheduler",
};
const of = (apiVersion: string, kind: string, rest: object) => ({ apiVersion, kind, ...rest });

const cases: readonly Case[] = [
  {
    name: "a pod with one container",
    object: of("v1", "Pod", {
      spec: {
        serviceAccountName: "sa",
        containers: [
          {
            name: "a",
            image: "nginx",
            ports: [{ containerPort: 80 }],
            readinessProbe: { httpGet: { port: 80 } },
            env: [{ name: "IP", valueFrom: { fieldRef: { fieldPath: "status.podIP" } } }],
            resources: { limits: { cpu: "1", memory: "64Mi" }, requests: { cpu: "100m" } },
          },
        ],
        volumes: [{ name: "e" }, { name: "c", configMap: { name: "c" } }],
      },
    }),
    expected: of("v1", "Pod", {
      spec: {
        serviceAccountName: "sa",
        serviceAccount: "sa",
        containers: [
          {
            ...container,
            name: "a",
            image: "nginx",
            imagePullPolicy: "Always",
            ports: [{ containerPort: 80, protocol: "TCP" }],
            readinessProbe: {
              httpGet: { port: 80, path: "/", scheme: "HTTP" },
              timeoutSeconds: 1,
              periodSeconds: 10,
              successThreshold: 1,
              failureThreshold: 3,
            },
            env: [{ name: "IP", valueFrom: { fieldRef: { fieldPath: "status.podIP", apiVersion: "v1" } } }],
            resources: { limits: { cpu: "1", memory: "64Mi" }, requests: { cpu: "100m", memory: "64Mi" } },
          },
        ],
        volumes: [
          { name: "e", emptyDir: {} },
          { name: "c", configMap: { name: "c", defaultMode: 420 } },
        ],
        ...spec,
        enableServiceLinks: true,
      },
    }),
  },
  {
    name: "a deployment, whose template has no enableServiceLinks",
    object: of("apps/v1", "Deployment", {
      spec: { template: { spec: { containers: [{ name: "a", image: "r:5000/a:1" }] } } },
    }),
    expected: of("apps/v1", "Deployment", {
      spec: {
        replicas: 1,
        strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: "25%", maxUnavailable: "25%" } },
        revisionHistoryLimit: 10,
        progressDeadlineSeconds: 600,
        template: {
          spec: {
            containers: [{ ...container, name: "a", image: "r:5000/a:1", imagePullPolicy: "IfNotPresent" }],
            ...spec,
          },
        },
      },
    }),
  },
  {
    name: "a Recreate deployment, which has no rolling update",
    object: of("apps/v1", "Deployment", { spec: { replicas: 0, strategy: { type: "Recreate" } } }),
    expected: of("apps/v1", "Deployment", {
      spec: { replicas: 0, strategy: { type: "Recreate" }, revisionHistoryLimit: 10, progressDeadlineSeconds: 600 },
    }),
  },
  {
    name: "a LoadBalancer service",
    object: of("v1", "Service", {
      spec: { type: "LoadBalancer", ports: [{ port: 80 }, { port: 81, targetPort: "x" }] },
    }),
    expected: of("v1", "Service", {
      spec: {
        type: "LoadBalancer",
        ports: [
          { port: 80, targetPort: 80, protocol: "TCP" },
          { port: 81, targetPort: "x", protocol: "TCP" },
        ],
        sessionAffinity: "None",
        ipFamilies: ["IPv4"],
        ipFamilyPolicy: "SingleStack",
        internalTrafficPolicy: "Cluster",
        externalTrafficPolicy: "Cluster",
        allocateLoadBalancerNodePorts: true,
      },
    }),
  },
  {
    name: "a secret with text",
    object: of("v1", "Secret", { data: { a: "eA==" }, stringData: { b: "grüße", a: "y" } }),
    expected: of("v1", "Secret", { data: { a: "eQ==", b: "Z3LDvMOfZQ==" }, type: "Opaque" }),
  },
  {
    name: "a namespace",
    object: of("v1", "Namespace", { metadata: { name: "sock-shop", labels: { a: "b" } } }),
    expected: of("v1", "Namespace", {
      metadata: { name: "sock-shop", labels: { a: "b", "kubernetes.io/metadata.name": "sock-shop" } },
      spec: {},
      status: { phase: "Active" },
    }),
  },
  {
    name: "a mutating webhook",
    object: of("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration", {
      webhooks: [{ name: "a.b.c", clientConfig: { service: { name: "s" } }, rules: [{ resources: ["pods"] }] }],
    }),
    expected: of("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration", {
      webhooks: [
        {
          name: "a.b.c",
          clientConfig: { service: { name: "s", port: 443 } },
          rules: [{ resources: ["pods"], scope: "*" }],
          failurePolicy: "Fail",
          matchPolicy: "Equivalent",
          namespaceSelector: {},
          objectSelector: {},
          timeoutSeconds: 10,
          reinvocationPolicy: "Never",
        },
      ],
    }),
  },
  {
    name: "nothing on a custom kind",
    object: of("networking.istio.io/v1", "Gateway", { spec: {} }),
    expected: of("networking.istio.io/v1", "Gateway", { spec: {} }),
  },
];
for (const c of cases) {
  test(`defaults ${c.name}`, () => {
    const before = structuredClone(c.object);
    const once = applyDefaults(c.object);
    assert.deepEqual(once, c.expected);
    assert.deepEqual(c.object, before);
    assert.equal(applyDefaults(once), once);
  });
}
