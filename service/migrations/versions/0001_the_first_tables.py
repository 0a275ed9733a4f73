"""the first tables.

Revision: 0001
Follows:
"""

import sqlalchemy as sa
from alembic import op
from service.base import db

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


LOG = ("event", "leaf", "tile", "treehead")


def postgresql() -> bool:
    return op.get_bind().dialect.name == "postgresql"


def keep_the_log() -> None:
    """Refuse every change and removal of the log's rows."""
    if not postgresql():
        refuse = "BEGIN SELECT RAISE(ABORT, 'the log is only ever added to'); END"
        for table in LOG:
            op.execute(f'CREATE TRIGGER {table}_keep BEFORE UPDATE ON "{table}" {refuse}')
            op.execute(f'CREATE TRIGGER {table}_keep_all BEFORE DELETE ON "{table}" {refuse}')
        return
    op.execute(
        "CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$ "
        "BEGIN RAISE EXCEPTION 'the log is only ever added to'; END $$"
    )
    refuse = "EXECUTE FUNCTION refuse_change()"
    for table in LOG:
        op.execute(f'CREATE TRIGGER {table}_keep BEFORE UPDATE OR DELETE ON "{table}" FOR EACH ROW {refuse}')
        op.execute(f'CREATE TRIGGER {table}_keep_all BEFORE TRUNCATE ON "{table}" FOR EACH STATEMENT {refuse}')


def upgrade() -> None:
    op.create_table(
        "agreement",
        sa.Column("application_id", sa.String(32), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("screening_id", sa.String(32), nullable=False),
        sa.Column("offered_at", db.UTCDateTime(), nullable=False),
        sa.Column("signed_by", sa.String(64), nullable=True),
        sa.Column("signed_at", db.UTCDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("application_id", name=op.f("pk_agreement")),
    )
    op.create_table(
        "application",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("number", sa.String(20), nullable=True),
        sa.Column("unit_id", sa.String(64), nullable=False),
        sa.Column("dataset_id", sa.String(64), nullable=False),
        sa.Column("drafted_by", sa.String(64), nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("draft", db.Document, nullable=False),
        sa.Column("columns", db.Document, nullable=False),
        sa.Column("objections", db.Document, nullable=False),
        sa.Column("verdict_objection", sa.String(), nullable=False),
        sa.Column("period_from", sa.Date(), nullable=True),
        sa.Column("period_to", sa.Date(), nullable=True),
        sa.Column("areas", db.Document, nullable=False),
        sa.Column("purpose", sa.String(60), nullable=False),
        sa.Column("statement", sa.String(), nullable=False),
        sa.Column("delivery", sa.String(20), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=True),
        sa.Column("cross_border", sa.Boolean(), nullable=True),
        sa.Column("onward_sharing", sa.Boolean(), nullable=True),
        sa.Column("security", db.Document, nullable=False),
        sa.Column("members", db.Document, nullable=False),
        sa.Column("route", db.Document, nullable=False),
        sa.Column("step_role", sa.String(12), nullable=True),
        sa.Column("due_at", db.UTCDateTime(), nullable=True),
        sa.Column("screening_id", sa.String(32), nullable=True),
        sa.Column("submitted_at", db.UTCDateTime(), nullable=True),
        sa.Column("created_at", db.UTCDateTime(), nullable=False),
        sa.Column("updated_at", db.UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_application")),
        sa.UniqueConstraint("number", name=op.f("uq_application_number")),
    )
    with op.batch_alter_table("application", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_application_dataset_id"), ["dataset_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_application_state"), ["state"], unique=False)
        batch_op.create_index(batch_op.f("ix_application_step_role"), ["step_role"], unique=False)
        batch_op.create_index(batch_op.f("ix_application_unit_id"), ["unit_id"], unique=False)

    op.create_table(
        "application_history",
        sa.Column("application_id", sa.String(32), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("verb", sa.String(12), nullable=False),
        sa.Column("by", sa.String(64), nullable=False),
        sa.Column("at", db.UTCDateTime(), nullable=False),
        sa.Column("snapshot", db.Document, nullable=False),
        sa.PrimaryKeyConstraint("application_id", "version", name=op.f("pk_application_history")),
    )
    op.create_table(
        "client",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("unit_id", sa.String(32), nullable=False),
        sa.Column("name", sa.String(60), nullable=False),
        sa.Column("created_by", sa.String(32), nullable=False),
        sa.Column("created_at", db.UTCDateTime(), nullable=False),
        sa.Column("disabled_at", db.UTCDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_client")),
    )
    with op.batch_alter_table("client", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_client_unit_id"), ["unit_id"], unique=False)

    op.create_table(
        "clientgrant",
        sa.Column("client_id", sa.String(32), nullable=False),
        sa.Column("grant_id", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("client_id", "grant_id", name=op.f("pk_clientgrant")),
    )
    with op.batch_alter_table("clientgrant", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_clientgrant_grant_id"), ["grant_id"], unique=False)

    op.create_table(
        "clientsecret",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("client_id", sa.String(32), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("created_by", sa.String(32), nullable=False),
        sa.Column("created_at", db.UTCDateTime(), nullable=False),
        sa.Column("revoked_at", db.UTCDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_clientsecret")),
    )
    with op.batch_alter_table("clientsecret", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_clientsecret_client_id"), ["client_id"], unique=False)

    op.create_table(
        "dataset",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("title_zh", sa.String(200), nullable=False),
        sa.Column("title_en", sa.String(200), nullable=False),
        sa.Column("summary_zh", sa.String(), nullable=False),
        sa.Column("summary_en", sa.String(), nullable=False),
        sa.Column("source_unit_id", sa.String(64), nullable=False),
        sa.Column("data_domain", sa.String(32), nullable=False),
        sa.Column("key_domain", sa.String(16), nullable=False),
        sa.Column("update_cycle", sa.String(16), nullable=False),
        sa.Column("openness", sa.String(16), nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("tags", db.Document, nullable=False),
        sa.Column("subjects", db.Document, nullable=False),
        sa.Column("record_unit", sa.String(16), nullable=False),
        sa.Column("spatial_m", sa.Float(), nullable=True),
        sa.Column("temporal_min", sa.Float(), nullable=True),
        sa.Column("records", sa.Integer(), nullable=True),
        sa.Column("time_column", sa.String(64), nullable=True),
        sa.Column("area_column", sa.String(64), nullable=True),
        sa.Column("public_columns", db.Document, nullable=True),
        sa.Column("licence", sa.String(64), nullable=False),
        sa.Column("licence_url", sa.String(500), nullable=False),
        sa.Column("source_note_zh", sa.String(), nullable=False),
        sa.Column("source_note_en", sa.String(), nullable=False),
        sa.Column("source_url", sa.String(500), nullable=True),
        sa.Column("synthetic", sa.Boolean(), nullable=False),
        sa.Column("conditions_zh", sa.String(), nullable=False),
        sa.Column("conditions_en", sa.String(), nullable=False),
        sa.Column("requirements_zh", sa.String(), nullable=False),
        sa.Column("requirements_en", sa.String(), nullable=False),
        sa.Column("safeguards_zh", sa.String(), nullable=False),
        sa.Column("safeguards_en", sa.String(), nullable=False),
        sa.Column("basis", sa.String(32), nullable=True),
        sa.Column("basis_note_zh", sa.String(), nullable=False),
        sa.Column("basis_note_en", sa.String(), nullable=False),
        sa.Column("assessment", db.Document, nullable=True),
        sa.Column("derived_from", sa.String(64), nullable=True),
        sa.Column("derivation", db.Document, nullable=True),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", db.UTCDateTime(), nullable=False),
        sa.Column("updated_at", db.UTCDateTime(), nullable=False),
        sa.Column("published_at", db.UTCDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dataset")),
    )
    with op.batch_alter_table("dataset", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_dataset_key_domain"), ["key_domain"], unique=False)
        batch_op.create_index(batch_op.f("ix_dataset_openness"), ["openness"], unique=False)
        batch_op.create_index(batch_op.f("ix_dataset_source_unit_id"), ["source_unit_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_dataset_state"), ["state"], unique=False)

    op.create_table(
        "datasetcolumn",
        sa.Column("dataset_id", sa.String(64), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("title_zh", sa.String(200), nullable=False),
        sa.Column("title_en", sa.String(200), nullable=False),
        sa.Column("type", sa.String(16), nullable=False),
        sa.Column("description_zh", sa.String(), nullable=False),
        sa.Column("description_en", sa.String(), nullable=False),
        sa.Column("level", sa.Integer(), nullable=True),
        sa.Column("semantic", sa.String(64), nullable=True),
        sa.PrimaryKeyConstraint("dataset_id", "name", name=op.f("pk_datasetcolumn")),
    )
    op.create_table(
        "datasetversion",
        sa.Column("dataset_id", sa.String(64), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("blob_key", sa.String(100), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("bytes", sa.Integer(), nullable=False),
        sa.Column("created_at", db.UTCDateTime(), nullable=False),
        sa.Column("period_from", sa.Date(), nullable=True),
        sa.Column("period_to", sa.Date(), nullable=True),
        sa.PrimaryKeyConstraint("dataset_id", "number", name=op.f("pk_datasetversion")),
    )
    op.create_table(
        "datasetword",
        sa.Column("word", sa.String(64), nullable=False),
        sa.Column("dataset_id", sa.String(64), nullable=False),
        sa.Column("weight", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("word", "dataset_id", name=op.f("pk_datasetword")),
    )
    with op.batch_alter_table("datasetword", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_datasetword_dataset_id"), ["dataset_id"], unique=False)

    op.create_table(
        "decision",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("application_id", sa.String(32), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("verb", sa.String(12), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("clauses", db.Document, nullable=False),
        sa.Column("columns", db.Document, nullable=False),
        sa.Column("dropped", db.Document, nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=False),
        sa.Column("by", sa.String(64), nullable=False),
        sa.Column("unit_id", sa.String(64), nullable=False),
        sa.Column("screening_id", sa.String(32), nullable=False),
        sa.Column("seen_version", sa.Integer(), nullable=False),
        sa.Column("at", db.UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_decision")),
    )
    with op.batch_alter_table("decision", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_decision_application_id"), ["application_id"], unique=False)

    op.create_table(
        "event",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("subject", sa.String(128), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("by", sa.String(64), nullable=False),
        sa.Column("at", db.UTCDateTime(), nullable=False),
        sa.Column("facts", db.Document, nullable=False),
        sa.Column("salt", sa.LargeBinary(), nullable=False),
        sa.Column("commitment", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_event")),
        sa.UniqueConstraint("subject", "version", name=op.f("uq_event_subject_version")),
    )
    op.create_table(
        "grant",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("unit_id", sa.String(64), nullable=False),
        sa.Column("dataset_id", sa.String(64), nullable=False),
        sa.Column("application_id", sa.String(32), nullable=False),
        sa.Column("columns", db.Document, nullable=False),
        sa.Column("semantics", db.Document, nullable=False),
        sa.Column("row_filter", db.Document, nullable=False),
        sa.Column("transforms", db.Document, nullable=False),
        sa.Column("delivery", db.Document, nullable=False),
        sa.Column("purpose", sa.String(64), nullable=False),
        sa.Column("starts_at", db.UTCDateTime(), nullable=False),
        sa.Column("ends_at", db.UTCDateTime(), nullable=False),
        sa.Column("dataset_version", sa.Integer(), nullable=False),
        sa.Column("rests_on", db.Document, nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", db.UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_grant")),
        sa.UniqueConstraint("application_id", "dataset_id", name=op.f("uq_grant_application_id_dataset_id")),
    )
    with op.batch_alter_table("grant", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_grant_dataset_id"), ["dataset_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_grant_ends_at"), ["ends_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_grant_unit_id"), ["unit_id"], unique=False)

    op.create_table(
        "grant_task",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("grant_id", sa.String(32), nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("obligation", db.Document, nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("created_at", db.UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_grant_task")),
    )
    with op.batch_alter_table("grant_task", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_grant_task_due_on"), ["due_on"], unique=False)
        batch_op.create_index(batch_op.f("ix_grant_task_grant_id"), ["grant_id"], unique=False)

    op.create_table(
        "leaf",
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("event_id", sa.String(26), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_leaf")),
        sa.UniqueConstraint("event_id", name=op.f("uq_leaf_event_id")),
    )
    op.create_table(
        "lease",
        sa.Column("name", sa.String(40), nullable=False),
        sa.Column("holder", sa.String(64), nullable=False),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("until", db.UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_lease")),
    )
    op.create_table(
        "list_edition",
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("list_id", sa.String(60), nullable=False),
        sa.Column("edition", sa.String(40), nullable=False),
        sa.Column("domain", sa.String(20), nullable=False),
        sa.Column("body", db.Document, nullable=False),
        sa.Column("effective_from", sa.Date(), nullable=False),
        sa.Column("effective_until", sa.Date(), nullable=True),
        sa.Column("published_at", db.UTCDateTime(), nullable=False),
        sa.Column("published_by", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_list_edition")),
    )
    with op.batch_alter_table("list_edition", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_list_edition_list_id"), ["list_id"], unique=False)

    op.create_table(
        "loginsession",
        sa.Column("id_hash", sa.String(64), nullable=False),
        sa.Column("person_id", sa.String(64), nullable=False),
        sa.Column("created_at", db.UTCDateTime(), nullable=False),
        sa.Column("seen_at", db.UTCDateTime(), nullable=False),
        sa.Column("authenticated_at", db.UTCDateTime(), nullable=False),
        sa.Column("ended_at", db.UTCDateTime(), nullable=True),
        sa.Column("agent", sa.String(200), nullable=False),
        sa.Column("origin", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("id_hash", name=op.f("pk_loginsession")),
    )
    with op.batch_alter_table("loginsession", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_loginsession_person_id"), ["person_id"], unique=False)

    op.create_table(
        "notice",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("outbox_id", sa.String(32), nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("unit_id", sa.String(64), nullable=True),
        sa.Column("role", sa.String(20), nullable=True),
        sa.Column("person_id", sa.String(64), nullable=True),
        sa.Column("facts", db.Document, nullable=False),
        sa.Column("at", db.UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notice")),
        sa.UniqueConstraint("outbox_id", name=op.f("uq_notice_outbox_id")),
    )
    with op.batch_alter_table("notice", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_notice_person_id"), ["person_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_notice_role"), ["role"], unique=False)
        batch_op.create_index(batch_op.f("ix_notice_unit_id"), ["unit_id"], unique=False)

    op.create_table(
        "noticeread",
        sa.Column("notice_id", sa.String(32), nullable=False),
        sa.Column("person_id", sa.String(64), nullable=False),
        sa.Column("at", db.UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("notice_id", "person_id", name=op.f("pk_noticeread")),
    )
    op.create_table(
        "open_case",
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("application_id", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_open_case")),
    )
    with op.batch_alter_table("open_case", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_open_case_application_id"), ["application_id"], unique=False)

    op.create_table(
        "outbox",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("to_unit", sa.String(64), nullable=True),
        sa.Column("to_role", sa.String(20), nullable=True),
        sa.Column("to_person", sa.String(64), nullable=True),
        sa.Column("facts", db.Document, nullable=False),
        sa.Column("key", sa.String(160), nullable=True),
        sa.Column("created_at", db.UTCDateTime(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("due_at", db.UTCDateTime(), nullable=False),
        sa.Column("delivered_at", db.UTCDateTime(), nullable=True),
        sa.Column("failed_at", db.UTCDateTime(), nullable=True),
        sa.Column("fault", sa.String(200), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
        sa.UniqueConstraint("key", name=op.f("uq_outbox_key")),
    )
    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_outbox_due_at"), ["due_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_outbox_failed_at"), ["failed_at"], unique=False)

    op.create_table(
        "person",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("login", sa.String(64), nullable=False),
        sa.Column("name", sa.String(60), nullable=False),
        sa.Column("password_hash", sa.String(255), nullable=False),
        sa.Column("unit_id", sa.String(64), nullable=False),
        sa.Column("created_at", db.UTCDateTime(), nullable=False),
        sa.Column("disabled_at", db.UTCDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_person")),
        sa.UniqueConstraint("login", name=op.f("uq_person_login")),
    )
    with op.batch_alter_table("person", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_person_unit_id"), ["unit_id"], unique=False)

    op.create_table(
        "personrole",
        sa.Column("person_id", sa.String(64), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.PrimaryKeyConstraint("person_id", "role", name=op.f("pk_personrole")),
    )
    with op.batch_alter_table("personrole", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_personrole_role"), ["role"], unique=False)

    op.create_table(
        "receipt_number",
        sa.Column("year", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("last", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("year", name=op.f("pk_receipt_number")),
    )
    op.create_table(
        "releasedview",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("subject", sa.String(100), nullable=False),
        sa.Column("grant_id", sa.String(32), nullable=True),
        sa.Column("dataset_id", sa.String(64), nullable=False),
        sa.Column("dataset_version", sa.Integer(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("recipe", db.Document, nullable=False),
        sa.Column("recipe_digest", sa.String(64), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("claimed_at", db.UTCDateTime(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("columns", db.Document, nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("parquet_key", sa.String(100), nullable=False),
        sa.Column("parquet_sha256", sa.String(64), nullable=False),
        sa.Column("parquet_bytes", sa.BigInteger(), nullable=False),
        sa.Column("csv_key", sa.String(100), nullable=False),
        sa.Column("csv_sha256", sa.String(64), nullable=False),
        sa.Column("csv_bytes", sa.BigInteger(), nullable=False),
        sa.Column("built_at", db.UTCDateTime(), nullable=True),
        sa.Column("serves_from", db.UTCDateTime(), nullable=True),
        sa.Column("note", sa.String(500), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_releasedview")),
        sa.UniqueConstraint(
            "subject",
            "dataset_version",
            "epoch",
            "recipe_digest",
            name=op.f("uq_releasedview_subject_dataset_version_epoch_recipe_digest"),
        ),
    )
    with op.batch_alter_table("releasedview", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_releasedview_dataset_id"), ["dataset_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_releasedview_grant_id"), ["grant_id"], unique=False)

    op.create_table(
        "reminder",
        sa.Column("grant_id", sa.String(32), nullable=False),
        sa.Column("days", sa.Integer(), nullable=False),
        sa.Column("at", db.UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("grant_id", "days", name=op.f("pk_reminder")),
    )
    op.create_table(
        "screening",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("subject", sa.String(100), nullable=False),
        sa.Column("moment", sa.String(12), nullable=False),
        sa.Column("facts", db.Document, nullable=False),
        sa.Column("verdict", db.Document, nullable=False),
        sa.Column("digests", db.Document, nullable=False),
        sa.Column("semantics", sa.String(20), nullable=False),
        sa.Column("at", db.UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_screening")),
    )
    with op.batch_alter_table("screening", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_screening_subject"), ["subject"], unique=False)

    op.create_table(
        "servicestate",
        sa.Column("name", sa.String(40), nullable=False),
        sa.Column("value", db.Document, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_servicestate")),
    )
    op.create_table(
        "suspension",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("grant_id", sa.String(32), nullable=False),
        sa.Column("cause", sa.String(500), nullable=False),
        sa.Column("by", sa.String(64), nullable=False),
        sa.Column("at", db.UTCDateTime(), nullable=False),
        sa.Column("confirmed_by", sa.String(64), nullable=True),
        sa.Column("confirmed_at", db.UTCDateTime(), nullable=True),
        sa.Column("lifted_by", sa.String(64), nullable=True),
        sa.Column("lifted_at", db.UTCDateTime(), nullable=True),
        sa.Column("lift_reason", sa.String(500), nullable=True),
        sa.Column("flagged_at", db.UTCDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_suspension")),
    )
    with op.batch_alter_table("suspension", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_suspension_grant_id"), ["grant_id"], unique=False)
        batch_op.create_index(
            "uq_suspension_open",
            ["grant_id"],
            unique=True,
            sqlite_where=sa.text("lifted_at IS NULL"),
            postgresql_where=sa.text("lifted_at IS NULL"),
        )

    op.create_table(
        "tile",
        sa.Column("level", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("level", "number", name=op.f("pk_tile")),
    )
    op.create_table(
        "token",
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("client_id", sa.String(32), nullable=False),
        sa.Column("secret_id", sa.String(32), nullable=False),
        sa.Column("scope", sa.String(60), nullable=False),
        sa.Column("details", db.Document, nullable=False),
        sa.Column("issued_at", db.UTCDateTime(), nullable=False),
        sa.Column("expires_at", db.UTCDateTime(), nullable=False),
        sa.Column("revoked_at", db.UTCDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_token")),
    )
    with op.batch_alter_table("token", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_token_client_id"), ["client_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_token_expires_at"), ["expires_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_token_secret_id"), ["secret_id"], unique=False)

    op.create_table(
        "tokengrant",
        sa.Column("token_digest", sa.String(64), nullable=False),
        sa.Column("grant_id", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("token_digest", "grant_id", name=op.f("pk_tokengrant")),
    )
    with op.batch_alter_table("tokengrant", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_tokengrant_grant_id"), ["grant_id"], unique=False)

    op.create_table(
        "treehead",
        sa.Column("size", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("root", sa.String(64), nullable=False),
        sa.Column("edge", db.Document, nullable=False),
        sa.Column("signed_at", db.UTCDateTime(), nullable=False),
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("signature", sa.String(128), nullable=False),
        sa.PrimaryKeyConstraint("size", name=op.f("pk_treehead")),
    )
    op.create_table(
        "unit",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("name_en", sa.String(200), nullable=False),
        sa.Column("uscc", sa.String(18), nullable=True),
        sa.Column("applicant_kind", sa.String(32), nullable=True),
        sa.Column("foreign_share", sa.Float(), nullable=True),
        sa.Column("certs", db.Document, nullable=True),
        sa.Column("credit", sa.String(32), nullable=True),
        sa.Column("created_at", db.UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_unit")),
        sa.UniqueConstraint("uscc", name=op.f("uq_unit_uscc")),
    )
    with op.batch_alter_table("unit", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_unit_kind"), ["kind"], unique=False)

    op.create_table(
        "unitconfirmation",
        sa.Column("unit_id", sa.String(64), nullable=False),
        sa.Column("evidence", sa.String(500), nullable=False),
        sa.Column("by", sa.String(64), nullable=False),
        sa.Column("at", db.UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("unit_id", name=op.f("pk_unitconfirmation")),
    )
    op.create_table(
        "unitdispute",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("uscc", sa.String(18), nullable=False),
        sa.Column("holder_id", sa.String(64), nullable=False),
        sa.Column("claimant_id", sa.String(64), nullable=False),
        sa.Column("opened_at", db.UTCDateTime(), nullable=False),
        sa.Column("settled_at", db.UTCDateTime(), nullable=True),
        sa.Column("settled_by", sa.String(64), nullable=True),
        sa.Column("settled_for", sa.String(64), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_unitdispute")),
    )
    with op.batch_alter_table("unitdispute", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_unitdispute_claimant_id"), ["claimant_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_unitdispute_holder_id"), ["holder_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_unitdispute_uscc"), ["uscc"], unique=False)

    op.create_table(
        "unsealed",
        sa.Column("event_id", sa.String(26), nullable=False),
        sa.Column("at", db.UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("event_id", name=op.f("pk_unsealed")),
    )
    op.create_table(
        "usageevent",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("dataset_id", sa.String(64), nullable=False),
        sa.Column("grant_id", sa.String(32), nullable=True),
        sa.Column("client_id", sa.String(32), nullable=True),
        sa.Column("view_id", sa.String(32), nullable=False),
        sa.Column("face", sa.String(20), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("whole", sa.Boolean(), nullable=False),
        sa.Column("at", db.UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_usageevent")),
    )
    with op.batch_alter_table("usageevent", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_usageevent_at"), ["at"], unique=False)
        batch_op.create_index(batch_op.f("ix_usageevent_client_id"), ["client_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_usageevent_dataset_id"), ["dataset_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_usageevent_grant_id"), ["grant_id"], unique=False)
    keep_the_log()


def downgrade() -> None:
    with op.batch_alter_table("usageevent", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_usageevent_grant_id"))
        batch_op.drop_index(batch_op.f("ix_usageevent_dataset_id"))
        batch_op.drop_index(batch_op.f("ix_usageevent_client_id"))
        batch_op.drop_index(batch_op.f("ix_usageevent_at"))

    op.drop_table("usageevent")
    op.drop_table("unsealed")
    with op.batch_alter_table("unitdispute", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_unitdispute_uscc"))
        batch_op.drop_index(batch_op.f("ix_unitdispute_holder_id"))
        batch_op.drop_index(batch_op.f("ix_unitdispute_claimant_id"))

    op.drop_table("unitdispute")
    op.drop_table("unitconfirmation")
    with op.batch_alter_table("unit", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_unit_kind"))

    op.drop_table("unit")
    op.drop_table("treehead")
    with op.batch_alter_table("tokengrant", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_tokengrant_grant_id"))

    op.drop_table("tokengrant")
    with op.batch_alter_table("token", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_token_secret_id"))
        batch_op.drop_index(batch_op.f("ix_token_expires_at"))
        batch_op.drop_index(batch_op.f("ix_token_client_id"))

    op.drop_table("token")
    op.drop_table("tile")
    with op.batch_alter_table("suspension", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_suspension_open",
            sqlite_where=sa.text("lifted_at IS NULL"),
            postgresql_where=sa.text("lifted_at IS NULL"),
        )
        batch_op.drop_index(batch_op.f("ix_suspension_grant_id"))

    op.drop_table("suspension")
    op.drop_table("servicestate")
    with op.batch_alter_table("screening", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_screening_subject"))

    op.drop_table("screening")
    op.drop_table("reminder")
    with op.batch_alter_table("releasedview", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_releasedview_grant_id"))
        batch_op.drop_index(batch_op.f("ix_releasedview_dataset_id"))

    op.drop_table("releasedview")
    op.drop_table("receipt_number")
    with op.batch_alter_table("personrole", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_personrole_role"))

    op.drop_table("personrole")
    with op.batch_alter_table("person", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_person_unit_id"))

    op.drop_table("person")
    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_outbox_failed_at"))
        batch_op.drop_index(batch_op.f("ix_outbox_due_at"))

    op.drop_table("outbox")
    with op.batch_alter_table("open_case", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_open_case_application_id"))

    op.drop_table("open_case")
    op.drop_table("noticeread")
    with op.batch_alter_table("notice", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_notice_unit_id"))
        batch_op.drop_index(batch_op.f("ix_notice_role"))
        batch_op.drop_index(batch_op.f("ix_notice_person_id"))

    op.drop_table("notice")
    with op.batch_alter_table("loginsession", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_loginsession_person_id"))

    op.drop_table("loginsession")
    with op.batch_alter_table("list_edition", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_list_edition_list_id"))

    op.drop_table("list_edition")
    op.drop_table("lease")
    op.drop_table("leaf")
    with op.batch_alter_table("grant_task", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_grant_task_grant_id"))
        batch_op.drop_index(batch_op.f("ix_grant_task_due_on"))

    op.drop_table("grant_task")
    with op.batch_alter_table("grant", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_grant_unit_id"))
        batch_op.drop_index(batch_op.f("ix_grant_ends_at"))
        batch_op.drop_index(batch_op.f("ix_grant_dataset_id"))

    op.drop_table("grant")
    op.drop_table("event")
    with op.batch_alter_table("decision", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_decision_application_id"))

    op.drop_table("decision")
    with op.batch_alter_table("datasetword", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_datasetword_dataset_id"))

    op.drop_table("datasetword")
    op.drop_table("datasetversion")
    op.drop_table("datasetcolumn")
    with op.batch_alter_table("dataset", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_dataset_state"))
        batch_op.drop_index(batch_op.f("ix_dataset_source_unit_id"))
        batch_op.drop_index(batch_op.f("ix_dataset_openness"))
        batch_op.drop_index(batch_op.f("ix_dataset_key_domain"))

    op.drop_table("dataset")
    with op.batch_alter_table("clientsecret", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_clientsecret_client_id"))

    op.drop_table("clientsecret")
    with op.batch_alter_table("clientgrant", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_clientgrant_grant_id"))

    op.drop_table("clientgrant")
    with op.batch_alter_table("client", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_client_unit_id"))

    op.drop_table("client")
    op.drop_table("application_history")
    with op.batch_alter_table("application", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_application_unit_id"))
        batch_op.drop_index(batch_op.f("ix_application_step_role"))
        batch_op.drop_index(batch_op.f("ix_application_state"))
        batch_op.drop_index(batch_op.f("ix_application_dataset_id"))

    op.drop_table("application")
    op.drop_table("agreement")
