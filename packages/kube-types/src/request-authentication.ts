/** RequestAuthentication. Source: Istio reference, security/request_authentication. */
import type { PolicyTargetReference, WorkloadSelector } from "./istio-shared.ts";
import type { KubeObject } from "./object.ts";

export interface JwtRule {
  readonly issuer?: string;
  readonly audiences?: readonly string[];
  readonly jwksUri?: string;
  readonly jwks?: string;
  readonly fromHeaders?: readonly { readonly name: string; readonly prefix?: string }[];
  readonly fromParams?: readonly string[];
  readonly fromCookies?: readonly string[];
  readonly outputPayloadToHeader?: string;
  readonly outputClaimToHeaders?: readonly { readonly header: string; readonly claim: string }[];
  readonly spaceDelimitedClaims?: readonly string[];
  readonly forwardOriginalToken?: boolean;
  readonly timeout?: string;
}

export interface RequestAuthentication extends KubeObject {
  readonly spec: {
    readonly selector?: WorkloadSelector;
    readonly targetRef?: PolicyTargetReference;
    readonly targetRefs?: readonly PolicyTargetReference[];
    readonly jwtRules?: readonly JwtRule[];
  };
}
