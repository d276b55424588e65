-- The sandbox's own store of truth. What was captured stays captured when it is taken back (reversed); what was refunded
-- no longer counts as refunded when it comes back. Amounts are minor units, times ISO 8601 in UTC unless named *_due (epoch seconds).
CREATE TABLE IF NOT EXISTS charges (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    key TEXT NOT NULL,
    reference TEXT NOT NULL,
    token TEXT NOT NULL,
    method TEXT NOT NULL,
    currency TEXT NOT NULL,
    requested INTEGER NOT NULL CHECK (requested > 0),
    authorized INTEGER NOT NULL DEFAULT 0 CHECK (authorized BETWEEN 0 AND requested),
    captured INTEGER NOT NULL DEFAULT 0 CHECK (captured >= 0),
    voided INTEGER NOT NULL DEFAULT 0 CHECK (voided >= 0),
    reversed INTEGER NOT NULL DEFAULT 0 CHECK (reversed BETWEEN 0 AND captured),
    refunded INTEGER NOT NULL DEFAULT 0 CHECK (refunded BETWEEN 0 AND captured),
    capture_now INTEGER NOT NULL,
    notice TEXT NOT NULL,
    created_at TEXT NOT NULL,
    occurred_at TEXT NOT NULL,
    CHECK (captured + voided <= authorized)
);
CREATE INDEX IF NOT EXISTS charges_by_reference ON charges (reference);

CREATE TABLE IF NOT EXISTS operations (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    key TEXT NOT NULL,
    kind TEXT NOT NULL,
    charge_id TEXT NOT NULL REFERENCES charges (id),
    reference TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    status TEXT NOT NULL,
    amount INTEGER NOT NULL,
    code TEXT NOT NULL DEFAULT '',
    action_url TEXT NOT NULL DEFAULT '',
    first_answer TEXT NOT NULL DEFAULT '',
    settle_due REAL,
    reversed INTEGER NOT NULL DEFAULT 0 CHECK (reversed BETWEEN 0 AND amount),
    reversal_code TEXT NOT NULL DEFAULT '',
    reversed_at TEXT NOT NULL DEFAULT '',
    created_at TEXT NOT NULL,
    occurred_at TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS operations_by_key ON operations (key);
CREATE INDEX IF NOT EXISTS operations_by_reference ON operations (reference);
CREATE INDEX IF NOT EXISTS operations_by_charge ON operations (charge_id);
CREATE INDEX IF NOT EXISTS operations_to_settle ON operations (settle_due) WHERE settle_due IS NOT NULL;

CREATE TABLE IF NOT EXISTS dispatches (
    key TEXT PRIMARY KEY,
    sent INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS disputes (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    charge_id TEXT NOT NULL REFERENCES charges (id),
    status TEXT NOT NULL,
    stage TEXT NOT NULL,
    amount INTEGER NOT NULL CHECK (amount >= 0),
    currency TEXT NOT NULL,
    fee INTEGER NOT NULL CHECK (fee >= 0),
    reason TEXT NOT NULL,
    evidence TEXT NOT NULL,
    evidence_due_at TEXT,
    occurred_at TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS disputes_by_charge ON disputes (charge_id);

CREATE TABLE IF NOT EXISTS struck (
    fault TEXT PRIMARY KEY,
    times INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS events (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    body TEXT NOT NULL,
    notice TEXT NOT NULL,
    copies INTEGER NOT NULL,
    tries INTEGER NOT NULL DEFAULT 0,
    delivered INTEGER NOT NULL DEFAULT 0,
    send_due REAL
);
CREATE INDEX IF NOT EXISTS events_to_send ON events (send_due) WHERE send_due IS NOT NULL;
