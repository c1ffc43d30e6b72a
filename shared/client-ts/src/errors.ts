// The errors that promises of this client reject with.
import type { Details, ErrorCode, RefusalError, Refused } from '../../contract/protocol.ts';

/** The server refused: `code`, `reason`, `retryAfterMs` and `fields` say why. */
export class RefusedError extends Error implements RefusalError {
  override readonly name = 'RefusedError';
  readonly code: ErrorCode;
  readonly details: Details;

  constructor({ code, message, details }: Refused) {
    super(message);
    this.code = code;
    this.details = details;
  }

  get reason() {
    return this.details.reason;
  }

  get retryAfterMs() {
    return this.details.retryAfterMs;
  }

  get fields() {
    return this.details.fields;
  }
}

/** No answer came in time, or the client was closed first. The command may have been carried out. */
export class UnansweredError extends Error {
  override readonly name = 'UnansweredError';
  readonly code = 'UNANSWERED';
}
