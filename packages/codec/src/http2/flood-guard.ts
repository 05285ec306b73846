/**
 * Counts what a hostile peer can send for little and make us pay much for, per connection, with Envoy's budgets
 * (CVE-2019-9511 to 9518, CVE-2023-44487, CVE-2024-27919). A broken budget ends the connection with ENHANCE_YOUR_CALM.
 * Returns are Envoy's response_code_details, or undefined when all is well.
 */
import type { Http2Limits } from "./options.ts";

export class FloodGuard {
  private readonly limits: Http2Limits;
  private inboundStreams = 0;
  private emptyFrames = 0;
  private priorityFrames = 0;
  private windowUpdates = 0;
  private closedStreams = 0;
  private prematureResets = 0;
  /** Of the whole connection. */
  dataFramesSent = 0;
  /** In the output, not yet taken by the caller. */
  outboundFrames = 0;
  outboundControlFrames = 0;

  constructor(limits: Http2Limits) {
    this.limits = limits;
  }

  /** DATA, HEADERS or CONTINUATION. `payloadLength` is without padding. */
  onPayload(payloadLength: number, isEndStream: boolean): string | undefined {
    if (payloadLength > 0 || isEndStream) {
      this.emptyFrames = 0;
      return undefined;
    }
    this.emptyFrames += 1;
    return this.emptyFrames > this.limits.maxConsecutiveInboundFramesWithEmptyPayload
      ? "http2.inbound_empty_frames_flood"
      : undefined;
  }

  onHeaderBlockEnd(): void {
    this.inboundStreams += 1;
  }

  onPriority(): string | undefined {
    this.priorityFrames += 1;
    return this.priorityFrames > this.limits.maxInboundPriorityFramesPerStream * (1 + this.inboundStreams)
      ? "http2.inbound_priority_frames_flood"
      : undefined;
  }

  onWindowUpdate(): string | undefined {
    this.windowUpdates += 1;
    const perData = this.limits.maxInboundWindowUpdateFramesPerDataFrameSent;
    return this.windowUpdates > 1 + 2 * (this.inboundStreams + perData * this.dataFramesSent)
      ? "http2.inbound_window_update_frames_flood"
      : undefined;
  }

  onStreamClosed(): void {
    this.closedStreams += 1;
  }

  /** The peer reset one of its requests, or made us do it. Counts as closed, too. */
  onReset(lifetimeMs: number): string | undefined {
    this.closedStreams += 1;
    if (lifetimeMs >= this.limits.prematureResetMinStreamLifetimeMs) return undefined;
    this.prematureResets += 1;
    // As Envoy: judged early when even only good streams from now on could not bring it under one half.
    const total = Math.max(this.closedStreams, this.limits.prematureResetTotalStreamCount);
    return this.prematureResets * 2 >= total ? "http2.too_many_premature_resets" : undefined;
  }

  onSent(isControl: boolean): void {
    this.outboundFrames += 1;
    if (isControl) this.outboundControlFrames += 1;
  }

  onTaken(): void {
    this.outboundFrames = 0;
    this.outboundControlFrames = 0;
  }

  checkOutbound(): string | undefined {
    if (this.outboundFrames > this.limits.maxOutboundFrames) return "http2.outbound_frames_flood";
    return this.outboundControlFrames > this.limits.maxOutboundControlFrames
      ? "http2.outbound_control_frames_flood"
      : undefined;
  }
}
