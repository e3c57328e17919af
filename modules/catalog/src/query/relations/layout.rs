//! Names and types of all columns, in StarRocks' order.

use quorate_guest::ColumnType;

use super::{Relation, Rows, columns, partitions, tables};

const TEXT: ColumnType = ColumnType::Text;
const INT: ColumnType = ColumnType::Int;
const TIME: ColumnType = ColumnType::DateTime;

/// All relations, by name.
pub const RELATIONS: &[Relation] = &[
    Relation {
        name: "columns",
        columns: &[
            ("TABLE_CATALOG", TEXT), ("TABLE_SCHEMA", TEXT), ("TABLE_NAME", TEXT),
            ("COLUMN_NAME", TEXT), ("ORDINAL_POSITION", INT), ("COLUMN_DEFAULT", TEXT),
            ("IS_NULLABLE", TEXT), ("DATA_TYPE", TEXT), ("CHARACTER_MAXIMUM_LENGTH", INT),
            ("CHARACTER_OCTET_LENGTH", INT), ("NUMERIC_PRECISION", INT), ("NUMERIC_SCALE", INT),
            ("DATETIME_PRECISION", INT), ("CHARACTER_SET_NAME", TEXT), ("COLLATION_NAME", TEXT),
            ("COLUMN_TYPE", TEXT), ("COLUMN_KEY", TEXT), ("EXTRA", TEXT), ("PRIVILEGES", TEXT),
            ("COLUMN_COMMENT", TEXT), ("COLUMN_SIZE", INT), ("DECIMAL_DIGITS", INT),
            ("GENERATION_EXPRESSION", TEXT), ("SRS_ID", INT),
        ],
        rows: Rows::Objects(columns::columns),
    },
    Relation {
        name: "events",
        columns: &[
            ("EVENT_CATALOG", TEXT), ("EVENT_SCHEMA", TEXT), ("EVENT_NAME", TEXT),
            ("DEFINER", TEXT), ("TIME_ZONE", TEXT), ("EVENT_BODY", TEXT),
            ("EVENT_DEFINITION", TEXT), ("EVENT_TYPE", TEXT), ("EXECUTE_AT", TIME),
            ("INTERVAL_VALUE", TEXT), ("INTERVAL_FIELD", TEXT), ("SQL_MODE", TEXT),
            ("STARTS", TIME), ("ENDS", TIME), ("STATUS", TEXT), ("ON_COMPLETION", TEXT),
            ("CREATED", TIME), ("LAST_ALTERED", TIME), ("LAST_EXECUTED", TIME),
            ("EVENT_COMMENT", TEXT), ("ORIGINATOR", INT), ("CHARACTER_SET_CLIENT", TEXT),
            ("COLLATION_CONNECTION", TEXT), ("DATABASE_COLLATION", TEXT),
        ],
        rows: Rows::None,
    },
    Relation {
        name: "key_column_usage",
        columns: &[
            ("CONSTRAINT_CATALOG", TEXT), ("CONSTRAINT_SCHEMA", TEXT), ("CONSTRAINT_NAME", TEXT),
            ("TABLE_CATALOG", TEXT), ("TABLE_SCHEMA", TEXT), ("TABLE_NAME", TEXT),
            ("COLUMN_NAME", TEXT), ("ORDINAL_POSITION", INT),
            ("POSITION_IN_UNIQUE_CONSTRAINT", INT), ("REFERENCED_TABLE_SCHEMA", TEXT),
            ("REFERENCED_TABLE_NAME", TEXT), ("REFERENCED_COLUMN_NAME", TEXT),
        ],
        rows: Rows::Objects(columns::key_column_usage),
    },
    Relation {
        name: "materialized_views",
        columns: &[
            ("MATERIALIZED_VIEW_ID", INT), ("TABLE_SCHEMA", TEXT), ("TABLE_NAME", TEXT),
            ("REFRESH_TYPE", TEXT), ("IS_ACTIVE", TEXT), ("INACTIVE_REASON", TEXT),
            ("PARTITION_TYPE", TEXT), ("TASK_ID", INT), ("TASK_NAME", TEXT),
            ("LAST_REFRESH_START_TIME", TIME), ("LAST_REFRESH_FINISHED_TIME", TIME),
            ("LAST_REFRESH_DURATION", TEXT), ("LAST_REFRESH_STATE", TEXT),
            ("LAST_REFRESH_FORCE_REFRESH", TEXT), ("LAST_REFRESH_START_PARTITION", TEXT),
            ("LAST_REFRESH_END_PARTITION", TEXT), ("LAST_REFRESH_BASE_REFRESH_PARTITIONS", TEXT),
            ("LAST_REFRESH_MV_REFRESH_PARTITIONS", TEXT), ("LAST_REFRESH_ERROR_CODE", TEXT),
            ("LAST_REFRESH_ERROR_MESSAGE", TEXT), ("TABLE_ROWS", INT),
            ("MATERIALIZED_VIEW_DEFINITION", TEXT), ("EXTRA_MESSAGE", TEXT),
            ("QUERY_REWRITE_STATUS", TEXT), ("CREATOR", TEXT),
        ],
        rows: Rows::None,
    },
    Relation {
        name: "partitions_meta",
        columns: &[
            ("DB_NAME", TEXT), ("TABLE_NAME", TEXT), ("PARTITION_NAME", TEXT),
            ("PARTITION_ID", INT), ("COMPACT_VERSION", INT), ("VISIBLE_VERSION", INT),
            ("VISIBLE_VERSION_TIME", TIME), ("NEXT_VERSION", INT), ("PARTITION_KEY", TEXT),
            ("PARTITION_VALUE", TEXT), ("DISTRIBUTION_KEY", TEXT), ("BUCKETS", INT),
            ("REPLICATION_NUM", INT), ("STORAGE_MEDIUM", TEXT), ("COOLDOWN_TIME", TIME),
            ("LAST_CONSISTENCY_CHECK_TIME", TIME), ("IS_IN_MEMORY", INT), ("IS_TEMP", INT),
            ("DATA_SIZE", TEXT), ("ROW_COUNT", INT),
        ],
        rows: Rows::Objects(partitions::partitions_meta),
    },
    Relation {
        name: "referential_constraints",
        columns: &[
            ("CONSTRAINT_CATALOG", TEXT), ("CONSTRAINT_SCHEMA", TEXT), ("CONSTRAINT_NAME", TEXT),
            ("UNIQUE_CONSTRAINT_CATALOG", TEXT), ("UNIQUE_CONSTRAINT_SCHEMA", TEXT),
            ("UNIQUE_CONSTRAINT_NAME", TEXT), ("MATCH_OPTION", TEXT), ("UPDATE_RULE", TEXT),
            ("DELETE_RULE", TEXT), ("TABLE_NAME", TEXT), ("REFERENCED_TABLE_NAME", TEXT),
        ],
        rows: Rows::None,
    },
    Relation {
        name: "routines",
        columns: &[
            ("SPECIFIC_NAME", TEXT), ("ROUTINE_CATALOG", TEXT), ("ROUTINE_SCHEMA", TEXT),
            ("ROUTINE_NAME", TEXT), ("ROUTINE_TYPE", TEXT), ("DTD_IDENTIFIER", TEXT),
            ("ROUTINE_BODY", TEXT), ("ROUTINE_DEFINITION", TEXT), ("EXTERNAL_NAME", TEXT),
            ("EXTERNAL_LANGUAGE", TEXT), ("PARAMETER_STYLE", TEXT), ("IS_DETERMINISTIC", TEXT),
            ("SQL_DATA_ACCESS", TEXT), ("SQL_PATH", TEXT), ("SECURITY_TYPE", TEXT),
            ("CREATED", TIME), ("LAST_ALTERED", TIME), ("SQL_MODE", TEXT),
            ("ROUTINE_COMMENT", TEXT), ("DEFINER", TEXT), ("CHARACTER_SET_CLIENT", TEXT),
            ("COLLATION_CONNECTION", TEXT), ("DATABASE_COLLATION", TEXT),
        ],
        rows: Rows::None,
    },
    Relation {
        name: "schemata",
        columns: &[
            ("CATALOG_NAME", TEXT), ("SCHEMA_NAME", TEXT), ("DEFAULT_CHARACTER_SET_NAME", TEXT),
            ("DEFAULT_COLLATION_NAME", TEXT), ("SQL_PATH", TEXT),
        ],
        rows: Rows::Databases(tables::schemata),
    },
    Relation {
        name: "statistics",
        columns: &[
            ("TABLE_CATALOG", TEXT), ("TABLE_SCHEMA", TEXT), ("TABLE_NAME", TEXT),
            ("NON_UNIQUE", INT), ("INDEX_SCHEMA", TEXT), ("INDEX_NAME", TEXT),
            ("SEQ_IN_INDEX", INT), ("COLUMN_NAME", TEXT), ("COLLATION", TEXT), ("CARDINALITY", INT),
            ("SUB_PART", INT), ("PACKED", TEXT), ("NULLABLE", TEXT), ("INDEX_TYPE", TEXT),
            ("COMMENT", TEXT),
        ],
        rows: Rows::Objects(columns::statistics),
    },
    Relation {
        name: "table_constraints",
        columns: &[
            ("CONSTRAINT_CATALOG", TEXT), ("CONSTRAINT_SCHEMA", TEXT), ("CONSTRAINT_NAME", TEXT),
            ("TABLE_SCHEMA", TEXT), ("TABLE_NAME", TEXT), ("CONSTRAINT_TYPE", TEXT),
        ],
        rows: Rows::Objects(columns::table_constraints),
    },
    // What the second version adds.
    #[cfg(feature = "v2")]
    Relation {
        name: "table_summary",
        columns: &[
            ("TABLE_SCHEMA", TEXT), ("TABLE_NAME", TEXT), ("COLUMNS", INT), ("CREATED_LSN", INT),
        ],
        rows: Rows::Objects(tables::table_summary),
    },
    Relation {
        name: "tables",
        columns: &[
            ("TABLE_CATALOG", TEXT), ("TABLE_SCHEMA", TEXT), ("TABLE_NAME", TEXT),
            ("TABLE_TYPE", TEXT), ("ENGINE", TEXT), ("VERSION", INT), ("ROW_FORMAT", TEXT),
            ("TABLE_ROWS", INT), ("AVG_ROW_LENGTH", INT), ("DATA_LENGTH", INT),
            ("MAX_DATA_LENGTH", INT), ("INDEX_LENGTH", INT), ("DATA_FREE", INT),
            ("AUTO_INCREMENT", INT), ("CREATE_TIME", TIME), ("UPDATE_TIME", TIME),
            ("CHECK_TIME", TIME), ("TABLE_COLLATION", TEXT), ("CHECKSUM", INT),
            ("CREATE_OPTIONS", TEXT), ("TABLE_COMMENT", TEXT),
        ],
        rows: Rows::Objects(tables::tables),
    },
    Relation {
        name: "tables_config",
        columns: &[
            ("TABLE_SCHEMA", TEXT), ("TABLE_NAME", TEXT), ("TABLE_ENGINE", TEXT),
            ("TABLE_MODEL", TEXT), ("PRIMARY_KEY", TEXT), ("PARTITION_KEY", TEXT),
            ("DISTRIBUTE_KEY", TEXT), ("DISTRIBUTE_TYPE", TEXT), ("DISTRIBUTE_BUCKET", INT),
            ("SORT_KEY", TEXT), ("PROPERTIES", TEXT), ("TABLE_ID", INT),
        ],
        rows: Rows::Objects(tables::tables_config),
    },
    Relation {
        name: "triggers",
        columns: &[
            ("TRIGGER_CATALOG", TEXT), ("TRIGGER_SCHEMA", TEXT), ("TRIGGER_NAME", TEXT),
            ("EVENT_MANIPULATION", TEXT), ("EVENT_OBJECT_CATALOG", TEXT),
            ("EVENT_OBJECT_SCHEMA", TEXT), ("EVENT_OBJECT_TABLE", TEXT), ("ACTION_ORDER", INT),
            ("ACTION_CONDITION", TEXT), ("ACTION_STATEMENT", TEXT), ("ACTION_ORIENTATION", TEXT),
            ("ACTION_TIMING", TEXT), ("ACTION_REFERENCE_OLD_TABLE", TEXT),
            ("ACTION_REFERENCE_NEW_TABLE", TEXT), ("ACTION_REFERENCE_OLD_ROW", TEXT),
            ("ACTION_REFERENCE_NEW_ROW", TEXT), ("CREATED", TIME), ("SQL_MODE", TEXT),
            ("DEFINER", TEXT), ("CHARACTER_SET_CLIENT", TEXT), ("COLLATION_CONNECTION", TEXT),
            ("DATABASE_COLLATION", TEXT),
        ],
        rows: Rows::None,
    },
    Relation {
        name: "views",
        columns: &[
            ("TABLE_CATALOG", TEXT), ("TABLE_SCHEMA", TEXT), ("TABLE_NAME", TEXT),
            ("VIEW_DEFINITION", TEXT), ("CHECK_OPTION", TEXT), ("IS_UPDATABLE", TEXT),
            ("DEFINER", TEXT), ("SECURITY_TYPE", TEXT), ("CHARACTER_SET_CLIENT", TEXT),
            ("COLLATION_CONNECTION", TEXT),
        ],
        rows: Rows::Objects(tables::views),
    },
];
