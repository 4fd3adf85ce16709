/* schema.c: the run database in core SQL, so that any SQLite from 3.34 on opens it. The comments inside the statements
 * are kept by SQLite and shown by `.schema`. */
#include "schema.h"

#include <stdio.h>

/* metric is clustered on its key with integer names: a value costs about 20 bytes, and one curve is one range of
 * neighbouring pages. The blobs stand last in their rows, so that listing the other columns never reads them. */
static const char TABLES[] =
    "CREATE TABLE meta(key TEXT PRIMARY KEY NOT NULL, value) WITHOUT ROWID;\n"
    "CREATE TABLE split(\n"
    "  id INTEGER PRIMARY KEY,\n"
    "  sha256 TEXT NOT NULL UNIQUE, -- of the canonical CSV x,y,z,part\n"
    "  op TEXT NOT NULL,\n"
    "  p INTEGER NOT NULL,\n"
    "  train_fraction REAL NOT NULL,\n"
    "  seed INTEGER NOT NULL,\n"
    "  generator TEXT NOT NULL, -- philox | python | file\n"
    "  n_train INTEGER NOT NULL,\n"
    "  n_test INTEGER NOT NULL,\n"
    "  train_cells BLOB NOT NULL -- npy of int32: x*p + y, ascending\n"
    ");\n"
    "CREATE TABLE run(\n"
    "  id INTEGER PRIMARY KEY,\n"
    "  uid TEXT NOT NULL UNIQUE, -- 32 random hexadecimal digits\n"
    "  name TEXT NOT NULL,\n"
    "  method TEXT NOT NULL,\n"
    "  split_id INTEGER NOT NULL REFERENCES split(id),\n"
    "  parent_id INTEGER REFERENCES run(id) ON DELETE SET NULL,\n"
    "  seed INTEGER NOT NULL,\n"
    "  dtype TEXT NOT NULL,\n"
    "  config TEXT NOT NULL, -- JSON, keys sorted\n"
    "  config_sha256 TEXT NOT NULL,\n"
    "  status TEXT NOT NULL\n"
    "    CHECK(status IN ('running', 'finished', 'interrupted', 'diverged', 'failed', 'killed')),\n"
    "  step INTEGER NOT NULL DEFAULT 0,\n"
    "  step_unit TEXT NOT NULL,\n"
    "  started_at TEXT NOT NULL, -- UTC\n"
    "  ended_at TEXT,\n"
    "  wall_seconds REAL NOT NULL DEFAULT 0,\n"
    "  host TEXT,\n"
    "  pid INTEGER,\n"
    "  heartbeat_at TEXT,\n"
    "  version TEXT NOT NULL,\n"
    "  error TEXT\n"
    ");\n"
    "CREATE INDEX run_name ON run(name);\n"
    "CREATE INDEX run_split ON run(split_id);\n"
    "CREATE INDEX run_parent ON run(parent_id);\n"
    "CREATE INDEX run_config ON run(config_sha256);\n"
    "CREATE TABLE param(\n"
    "  run_id INTEGER NOT NULL REFERENCES run(id) ON DELETE CASCADE,\n"
    "  key TEXT NOT NULL,\n"
    "  value,\n"
    "  PRIMARY KEY(run_id, key)\n"
    ") WITHOUT ROWID;\n"
    "CREATE INDEX param_value ON param(key, value);\n"
    "CREATE TABLE tag(\n"
    "  run_id INTEGER NOT NULL REFERENCES run(id) ON DELETE CASCADE,\n"
    "  key TEXT NOT NULL,\n"
    "  value,\n"
    "  PRIMARY KEY(run_id, key)\n"
    ") WITHOUT ROWID;\n"
    "CREATE INDEX tag_value ON tag(key, value);\n"
    "CREATE TABLE metric_name(\n"
    "  id INTEGER PRIMARY KEY,\n"
    "  name TEXT NOT NULL UNIQUE,\n"
    "  unit TEXT,\n"
    "  description TEXT\n"
    ");\n"
    "CREATE TABLE metric(\n"
    "  run_id INTEGER NOT NULL REFERENCES run(id) ON DELETE CASCADE,\n"
    "  metric_id INTEGER NOT NULL REFERENCES metric_name(id),\n"
    "  step INTEGER NOT NULL,\n"
    "  value REAL, -- NULL is NaN\n"
    "  PRIMARY KEY(run_id, metric_id, step)\n"
    ") WITHOUT ROWID;\n"
    "CREATE TABLE event(\n"
    "  run_id INTEGER NOT NULL REFERENCES run(id) ON DELETE CASCADE,\n"
    "  kind TEXT NOT NULL, -- memorised, grokked, diverged, interrupted, resumed, killed ...\n"
    "  step INTEGER NOT NULL,\n"
    "  detail TEXT\n"
    ");\n"
    "CREATE INDEX event_run ON event(run_id, kind, step);\n"
    "CREATE INDEX event_kind ON event(kind, run_id, step);\n"
    "CREATE TABLE matrix(\n"
    "  id INTEGER PRIMARY KEY,\n"
    "  run_id INTEGER NOT NULL REFERENCES run(id) ON DELETE CASCADE,\n"
    "  step INTEGER NOT NULL,\n"
    "  kind TEXT NOT NULL, -- agop, sqrt_agop, nfm, metric ...\n"
    "  rows INTEGER NOT NULL,\n"
    "  cols INTEGER NOT NULL,\n"
    "  dtype TEXT NOT NULL, -- float32 | float64\n"
    "  raw_size INTEGER NOT NULL, -- bytes of the npy stream\n"
    "  sha256 TEXT NOT NULL, -- of the npy stream\n"
    "  data BLOB NOT NULL, -- npy, zlib-compressed, or as it is where length(data) = raw_size\n"
    "  UNIQUE(run_id, kind, step)\n"
    ");\n"
    "CREATE TABLE checkpoint(\n"
    "  id INTEGER PRIMARY KEY,\n"
    "  run_id INTEGER NOT NULL REFERENCES run(id) ON DELETE CASCADE,\n"
    "  step INTEGER NOT NULL,\n"
    "  kind TEXT NOT NULL, -- weights | state (all that a resume needs)\n"
    "  raw_size INTEGER NOT NULL, -- bytes of the safetensors stream\n"
    "  sha256 TEXT NOT NULL, -- of the safetensors stream\n"
    "  data BLOB NOT NULL, -- safetensors, zlib-compressed, or as it is where length(data) = raw_size\n"
    "  UNIQUE(run_id, kind, step)\n"
    ");\n"
    "CREATE TABLE comparison(\n"
    "  run_a INTEGER NOT NULL REFERENCES run(id) ON DELETE CASCADE,\n"
    "  step_a INTEGER NOT NULL,\n"
    "  kind_a TEXT NOT NULL,\n"
    "  run_b INTEGER NOT NULL REFERENCES run(id) ON DELETE CASCADE,\n"
    "  step_b INTEGER NOT NULL,\n"
    "  kind_b TEXT NOT NULL,\n"
    "  measure TEXT NOT NULL,\n"
    "  value REAL,\n"
    "  PRIMARY KEY(run_a, step_a, kind_a, run_b, step_b, kind_b, measure)\n"
    ") WITHOUT ROWID;\n"
    "CREATE INDEX comparison_b ON comparison(run_b);\n";

/* CROSS JOIN fixes the order of the loops (metric names, then runs, then one seek into metric), whatever statistics a
 * file carries. run_id is the run's own id, not the metric's: a condition on it then picks the run, and is not asked
 * again at every value (a third of the time of a search through curves). */
typedef struct view {
    const char *name, *columns, *select;
} view;

static const view VIEWS[] = {
    {"metrics", "run_id, run, name, step, value",
     "  SELECT r.id, r.name, n.name, m.step, m.value\n"
     "  FROM metric_name n CROSS JOIN run r CROSS JOIN metric m ON m.run_id = r.id AND m.metric_id = n.id"},
    {"latest_metrics", "run_id, run, name, step, value",
     "  SELECT r.id, r.name, n.name, m.step, m.value\n"
     "  FROM metric_name n CROSS JOIN run r CROSS JOIN metric m ON m.run_id = r.id AND m.metric_id = n.id\n"
     "    AND m.step = (SELECT max(l.step) FROM metric l WHERE l.run_id = r.id AND l.metric_id = n.id)"},
    {"curves", "run_id, run, step, train_loss, test_loss, train_accuracy, test_accuracy",
     "  SELECT r.id, r.name, m.step,\n"
     "    max(CASE n.name WHEN 'train_loss' THEN m.value END),\n"
     "    max(CASE n.name WHEN 'test_loss' THEN m.value END),\n"
     "    max(CASE n.name WHEN 'train_accuracy' THEN m.value END),\n"
     "    max(CASE n.name WHEN 'test_accuracy' THEN m.value END)\n"
     "  FROM run r CROSS JOIN metric_name n CROSS JOIN metric m ON m.run_id = r.id AND m.metric_id = n.id\n"
     "  WHERE n.name IN ('train_loss', 'test_loss', 'train_accuracy', 'test_accuracy')\n"
     "  GROUP BY r.id, r.name, m.step"},
    {"run_summary",
     "run_id, uid, run, method, split_id, op, p, train_fraction, seed, status, step, step_unit,\n"
     "    wall_seconds, train_accuracy, test_accuracy, memorised_step, grokked_step, delay,\n"
     "    train_loss, test_loss, circuit_step, cleaned_step",
     "  SELECT id, uid, name, method, split_id, op, p, train_fraction, seed, status, step, step_unit,\n"
     "    wall_seconds, train_accuracy, test_accuracy, memorised_step, grokked_step, grokked_step - memorised_step,\n"
     "    train_loss, test_loss, circuit_step, cleaned_step\n"
     "  FROM (SELECT r.*, s.op, s.p, s.train_fraction,\n"
     "      (SELECT l.value FROM latest_metrics l WHERE l.run_id = r.id AND l.name = 'train_accuracy') AS "
     "train_accuracy,\n"
     "      (SELECT l.value FROM latest_metrics l WHERE l.run_id = r.id AND l.name = 'test_accuracy') AS "
     "test_accuracy,\n"
     "      (SELECT l.value FROM latest_metrics l WHERE l.run_id = r.id AND l.name = 'train_loss') AS train_loss,\n"
     "      (SELECT l.value FROM latest_metrics l WHERE l.run_id = r.id AND l.name = 'test_loss') AS test_loss,\n"
     "      (SELECT min(e.step) FROM event e WHERE e.run_id = r.id AND e.kind = 'memorised') AS memorised_step,\n"
     "      (SELECT min(e.step) FROM event e WHERE e.run_id = r.id AND e.kind = 'grokked') AS grokked_step,\n"
     "      (SELECT min(e.step) FROM event e WHERE e.run_id = r.id AND e.kind = 'circuit') AS circuit_step,\n"
     "      (SELECT min(e.step) FROM event e WHERE e.run_id = r.id AND e.kind = 'cleaned') AS cleaned_step\n"
     "    FROM run r JOIN split s ON s.id = r.split_id)"},
    {"split_mates", "split_id, run_a, name_a, method_a, run_b, name_b, method_b",
     "  SELECT a.split_id, a.id, a.name, a.method, b.id, b.name, b.method\n"
     "  FROM run a JOIN run b ON b.split_id = a.split_id AND b.id > a.id"},
};

int gk_schema_views(sqlite3 *db, bool own)
{
    int rc = SQLITE_OK;
    for (size_t i = 0; rc == SQLITE_OK && i < sizeof VIEWS / sizeof *VIEWS; i++) {
        const view *v = &VIEWS[i];
        char *sql = own ? sqlite3_mprintf("CREATE TEMP VIEW %s(%s) AS\n%s", v->name, v->columns, v->select)
                        : sqlite3_mprintf("DROP VIEW IF EXISTS %s; CREATE VIEW %s(%s) AS\n%s", v->name, v->name,
                                          v->columns, v->select);
        rc = sql ? sqlite3_exec(db, sql, NULL, NULL, NULL) : SQLITE_NOMEM;
        sqlite3_free(sql);
    }
    return rc;
}

int gk_schema_create(sqlite3 *db)
{
    int rc = sqlite3_exec(db, TABLES, NULL, NULL, NULL);
    if (rc == SQLITE_OK) rc = gk_schema_views(db, false);
    if (rc != SQLITE_OK) return rc;
    char numbers[200];
    snprintf(numbers, sizeof numbers,
             "PRAGMA application_id = %d; PRAGMA user_version = %d;"
             "INSERT INTO meta VALUES('made_by', 'groklab " GK_VERSION "');",
             GK_APPLICATION_ID, GK_USER_VERSION);
    return sqlite3_exec(db, numbers, NULL, NULL, NULL);
}
