/** One stream's state (RFC 9113 §5.1): open until both sides have ended or one has reset it. Fields only; the rules are in the connection. */
export class Http2Stream {
  readonly id: number;
  readonly openedAt: number;
  /** Bytes of DATA we may send. Negative after the peer shrank its initial window. */
  sendWindow: number;
  /** Bytes of DATA the peer may send. */
  receiveWindow: number;
  /** Received and not yet given back by consume(). */
  held = 0;
  /** Given back and not yet announced by WINDOW_UPDATE. */
  credit = 0;
  isSendEnded = false;
  isReceiveEnded = false;
  /** The final head was received. */
  hasHead = false;
  hasSentHead = false;
  /** sendBody() took less than it was given. */
  isBlocked = false;
  /** The request's method; decides whether a response has a body. */
  method = "";
  /** content-length, or -1. */
  expectedLength = -1;
  receivedLength = 0;

  constructor(id: number, sendWindow: number, receiveWindow: number, openedAt: number) {
    this.id = id;
    this.sendWindow = sendWindow;
    this.receiveWindow = receiveWindow;
    this.openedAt = openedAt;
  }
}
