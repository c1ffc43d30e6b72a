import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Details, ErrorCode } from '../../contract/protocol.ts';
import { afterRefusal, isPassing } from '../src/retry.ts';

const refused = (code: ErrorCode, details: Details = {}) => ({ code, message: 'No', details });

test('a refusal that says when to come again is followed, if that is soon enough', () => {
  const limited = refused('RATE_LIMITED', { retryAfterMs: 700 });
  assert.deepEqual(afterRefusal(limited, 1, 1000), { what: 'again', ms: 700 });
  assert.deepEqual(afterRefusal(limited, 1, 500), { what: 'give up' });
});

test('an unknown outcome is asked for again, more and more slowly, and not for ever', () => {
  const unknown = refused('INTERNAL_ERROR', { reason: 'OUTCOME_UNKNOWN' });
  const verdicts = [1, 2, 3, 4, 5].map(attempt => afterRefusal(unknown, attempt, 10_000));
  assert.deepEqual(verdicts, [
    ...[200, 400, 800, 1600].map(ms => ({ what: 'again', ms })),
    { what: 'give up' },
  ]);
});

test('after the end of a token a newer one is brought', () => {
  assert.deepEqual(afterRefusal(refused('AUTH_ERROR', { reason: 'EXPIRED' }), 1, 0), { what: 'renew' });
});

test('what another try does not change is given up', () => {
  for (const refusal of [
    refused('INVALID_PARAMETERS', { fields: [{ field: 'physics.gravity', reason: 'too large', max: 20 }] }),
    refused('PERMISSION_DENIED', { reason: 'VIEW_ONLY' }),
    refused('AUTH_ERROR', { reason: 'REVOKED' }),
    refused('INTERNAL_ERROR', { errorId: 'e' }),
  ]) {
    assert.deepEqual(afterRefusal(refusal, 1, 10_000), { what: 'give up' });
  }
});

test('a refusal is of the moment, or for good', () => {
  const passing = [
    refused('INTERNAL_ERROR'),
    refused('RATE_LIMITED', { retryAfterMs: 100 }),
    refused('AUTH_ERROR', { reason: 'EXPIRED' }),
    refused('RATE_LIMITED', { reason: 'QUEUE_FULL' }),
  ];
  const final = [
    refused('AUTH_ERROR', { reason: 'REVOKED' }),
    refused('NOT_FOUND'),
    refused('PERMISSION_DENIED', { reason: 'KICKED' }),
    refused('ROOM_FULL'),
  ];
  assert.deepEqual([...passing, ...final].map(isPassing), [...passing.map(() => true), ...final.map(() => false)]);
});
