// The kinds, narrow.
export type {
  AuthorizationCondition,
  AuthorizationOperation,
  AuthorizationPolicy,
  AuthorizationPolicySpec,
  AuthorizationRule,
  AuthorizationSource,
} from "./authorization-policy.ts";
export type { ConfigMap } from "./config-map.ts";
export type {
  Container,
  ContainerPort,
  ContainerState,
  ContainerStateTerminated,
  ContainerStatus,
  EnvFromSource,
  EnvVar,
  ExecAction,
  FieldSelectorSource,
  HttpGetAction,
  KeySelector,
  LifecycleHandler,
  Probe,
  ResourceFieldSource,
  ResourceRequirements,
  SecurityContext,
  TcpSocketAction,
  VolumeMount,
} from "./container.ts";
export { contentHash } from "./content-hash.ts";
export { applyDefaults } from "./defaults.ts";
export {
  type Deployment,
  type DeploymentCondition,
  type DeploymentSpec,
  type DeploymentStatus,
  REVISION_ANNOTATION,
} from "./deployment.ts";
export type {
  ClientTlsSettings,
  ConnectionPoolSettings,
  ConsistentHash,
  DestinationRule,
  DestinationRuleSpec,
  LoadBalancerSettings,
  LocalityLoadBalancerSetting,
  OutlierDetection,
  PortTrafficPolicy,
  Subset,
  TrafficPolicy,
  Warmup,
} from "./destination-rule.ts";
export { type Endpoint, type EndpointPort, type EndpointSlice, SERVICE_NAME_LABEL } from "./endpoint-slice.ts";
export type { EndpointAddress, EndpointSubset, Endpoints } from "./endpoints.ts";
export type {
  ClusterMatch,
  EnvoyConfigObjectPatch,
  EnvoyFilter,
  EnvoyFilterApplyTo,
  ListenerMatch,
  PatchContext,
  PatchOperation,
  RouteConfigurationMatch,
} from "./envoy-filter.ts";
export type { Event } from "./event.ts";
export { type FieldProblem, formatFieldProblems, type ProblemReason } from "./field-problem.ts";
export type { FieldShape, FieldType } from "./field-shape.ts";
export type { Gateway, GatewayServer } from "./gateway.ts";
export type { IstioReport } from "./istio/findings.ts";
export { validateIstio } from "./istio.ts";
export type {
  Destination,
  LabelsSelector,
  MeshPort,
  Percent,
  PolicyTargetReference,
  ServerTlsSettings,
  StringMatch,
  TlsVersion,
  WorkloadSelector,
} from "./istio-shared.ts";
export type { Lease } from "./lease.ts";
export type { Namespace } from "./namespace.ts";
export type { Node, NodeCondition, NodeSystemReport, Taint } from "./node.ts";
export type { Condition, KubeObject, LabelSelector, ObjectMeta, OwnerReference, Status } from "./object.ts";
export type { ObjectReference } from "./object-reference.ts";
export type { OpenApiDocument, OpenApiIndex } from "./openapi.ts";
export type { MutualTlsMode, PeerAuthentication } from "./peer-authentication.ts";
export type { Pod, PodPhase, PodSecurityContext, PodSpec, PodStatus, PodTemplateSpec, Toleration } from "./pod.ts";
export { type DecodedObject, decodeProtobuf, PROTOBUF_MEDIA_TYPE } from "./protobuf.ts";
export { parseQuantity } from "./quantity.ts";
export { apiVersionOf, findResource, RESOURCES, REVIEWS, type Resource, resourceOf, resourcePath } from "./registry.ts";
export { POD_TEMPLATE_HASH_LABEL, type ReplicaSet } from "./replica-set.ts";
export type { JwtRule, RequestAuthentication } from "./request-authentication.ts";
export type { CheckReport } from "./schema-check.ts";
export { createSchemas, type Schemas } from "./schemas.ts";
export type { Secret } from "./secret.ts";
export {
  type FieldRequirement,
  formatLabelSelector,
  hasLabels,
  type LabelRequirement,
  type Labels,
  labelSelectorRequirements,
  matchesFields,
  matchesLabelSelector,
  matchesLabels,
  parseFieldSelector,
  parseLabelSelector,
} from "./selector.ts";
export type { Service, ServicePort, ServiceSpec, ServiceStatus } from "./service.ts";
export type { ServiceAccount, TokenRequest } from "./service-account.ts";
export type { ServiceEntry, ServiceEntrySpec } from "./service-entry.ts";
export type { IstioEgressListener, IstioIngressListener, Sidecar, SidecarPort, SidecarSpec } from "./sidecar.ts";
export { type Table, type TableCell, type TableColumn, type TableOptions, type TableRow, toTable } from "./table.ts";
export { humanDuration } from "./tables/human-duration.ts";
export { type PodSummary, summarizePod } from "./tables/pod.ts";
export type {
  AccessLoggingRule,
  MetricsOverride,
  MetricsRule,
  ProviderRef,
  Telemetry,
  TracingCustomTag,
  TracingRule,
  WorkloadMode,
} from "./telemetry.ts";
export { validateCreate, validateUpdate } from "./validate.ts";
export type {
  CorsPolicy,
  HeaderOperations,
  Headers,
  HttpDirectResponse,
  HttpFaultInjection,
  HttpMatchRequest,
  HttpRedirect,
  HttpRetry,
  HttpRewrite,
  HttpRoute,
  HttpRouteDestination,
  L4MatchAttributes,
  RouteDestination,
  TcpRoute,
  TlsMatchAttributes,
  TlsRoute,
  VirtualService,
  VirtualServiceSpec,
} from "./virtual-service.ts";
export type { DownwardFile, KeyToPath, ProjectedSource, Volume } from "./volume.ts";
export type {
  MutatingWebhook,
  MutatingWebhookConfiguration,
  ValidatingWebhookConfiguration,
  Webhook,
  WebhookClientConfig,
  WebhookRule,
} from "./webhook-configuration.ts";
export type { WorkloadEntry, WorkloadEntrySpec, WorkloadGroup } from "./workload-entry.ts";
