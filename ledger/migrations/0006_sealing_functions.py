"""What is sealed of a transition, said once; and the chain, which only grows."""

from django.db import migrations

from paymentops.core.append_only import append_only_operations

# A free text carries its length in bytes before it, so no two different rows are written the same way.
SEALED_TEXT = """
CREATE FUNCTION ledger_sealed_text(value text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT coalesce(octet_length(value)::text || ':' || value, '-') || ','
$$;
"""
SEALED_TEXT_REVERSE = "DROP FUNCTION ledger_sealed_text(text);"

# Whole microseconds since 1970 in UTC: what PostgreSQL keeps of a moment, whatever the session's time zone.
SEALED_MOMENT = """
CREATE FUNCTION ledger_sealed_moment(moment timestamptz) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT ledger_sealed_text((extract(epoch FROM moment AT TIME ZONE 'UTC') * 1000000)::bigint::text)
$$;
"""
SEALED_MOMENT_REVERSE = "DROP FUNCTION ledger_sealed_moment(timestamptz);"

# All columns of the transition; for the first one of an entry also those of its header that never change and, in the
# order of its lines, the codes of their accounts. The header's lines_digest covers the lines, but names accounts by
# number only. xact_id is left out because it does not survive a logical restore.
TRANSITION_DIGEST = """
CREATE FUNCTION ledger_transition_digest(move ledger_entry_transition, header ledger_entry, codes text)
RETURNS bytea LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT sha256(convert_to(
        'transition 1,'
        || ledger_sealed_text(move.id::text) || ledger_sealed_text(move.entry_id::text)
        || ledger_sealed_text(move.from_state) || ledger_sealed_text(move.to_state)
        || ledger_sealed_text(move.cause) || ledger_sealed_moment(move.effective_at)
        || ledger_sealed_moment(move.occurred_at) || ledger_sealed_moment(move.recorded_at)
        || ledger_sealed_text(move.actor) || ledger_sealed_text(move.trace_id)
        || CASE WHEN move.from_state <> '' THEN '' ELSE
           'entry 1,'
           || ledger_sealed_text(header.source_type) || ledger_sealed_text(header.source_id::text)
           || ledger_sealed_text(header.source_kind) || ledger_sealed_text(header.source_sequence::text)
           || ledger_sealed_text(header.description) || ledger_sealed_text(header.reverses_id::text)
           || ledger_sealed_text(header.line_count::text) || ledger_sealed_text(encode(header.lines_digest, 'hex'))
           || ledger_sealed_moment(header.occurred_at) || ledger_sealed_moment(header.recorded_at)
           || ledger_sealed_text(header.trace_id) || ledger_sealed_text(codes)
           END, 'UTF8'))
$$;
"""
TRANSITION_DIGEST_REVERSE = "DROP FUNCTION ledger_transition_digest(ledger_entry_transition, ledger_entry, text);"

# -1: recorded before it takes effect. 0: recorded within a minute of it. n: at least the n-th of these times later, and
# less than the next. A question about an earlier knowledge then looks at a bounded stretch of time per class.
LATENESS = """
CREATE FUNCTION ledger_lateness(effective_at timestamptz, recorded_at timestamptz)
RETURNS smallint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN effective_at > recorded_at THEN -1 ELSE width_bucket(recorded_at - effective_at, ARRAY[
        '1 minute', '10 minutes', '1 hour', '6 hours', '1 day', '3 days', '10 days', '30 days', '100 days', '1000 days'
    ]::interval[]) END::smallint
$$;
"""
LATENESS_REVERSE = "DROP FUNCTION ledger_lateness(timestamptz, timestamptz);"

# A late movement changes the amounts of snapshots behind it; with room on the page no index has to follow.
ROOM = """
ALTER TABLE ledger_balance_snapshot SET (fillfactor = 70);
ALTER TABLE ledger_folded_balance SET (fillfactor = 50);
"""
ROOM_REVERSE = """
ALTER TABLE ledger_balance_snapshot RESET (fillfactor);
ALTER TABLE ledger_folded_balance RESET (fillfactor);
"""


class Migration(migrations.Migration):
    dependencies = [("ledger", "0005_sealed")]

    operations = [
        migrations.RunSQL(SEALED_TEXT, SEALED_TEXT_REVERSE),
        migrations.RunSQL(SEALED_MOMENT, SEALED_MOMENT_REVERSE),
        migrations.RunSQL(TRANSITION_DIGEST, TRANSITION_DIGEST_REVERSE),
        migrations.RunSQL(LATENESS, LATENESS_REVERSE),
        migrations.RunSQL(ROOM, ROOM_REVERSE),
        *append_only_operations("ledger_chain_link"),
        *append_only_operations(
            "ledger_chain_head", allow_update_of=("seq", "hash", "low_id", "watch_id", "watch_xid", "moved_at")
        ),
        *append_only_operations("ledger_chain_root", allow_update_of=("exported_at",)),
    ]
