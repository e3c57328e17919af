//! Statements of the host: who owns a text, and what it says.

#![allow(clippy::unwrap_used)]

use quorate_sql::{
    ActivateModule, Assignment, ClusterStatement, ErrorKind, FrontendKind, HostStatement,
    KillTarget, Limit, ModuleFrom, ModuleGate, ModuleStatement, ModuleTime, ModuleVersion,
    Password, RollbackModule, Scope, SessionStatement, SetValue, ShowFilter, TransactionMode,
    host_statement,
};

fn host(text: &str) -> HostStatement {
    match host_statement(text) {
        Ok(Some(statement)) => statement,
        other => panic!("{text}: {other:?}"),
    }
}

fn session(text: &str) -> SessionStatement {
    match host(text) {
        HostStatement::Session(statement) => statement,
        other => panic!("{text}: {other:?}"),
    }
}

fn cluster(text: &str) -> ClusterStatement {
    match host(text) {
        HostStatement::Cluster(statement) => statement,
        other => panic!("{text}: {other:?}"),
    }
}

fn assignments(text: &str) -> Vec<Assignment> {
    match session(text) {
        SessionStatement::Set(assignments) => assignments,
        other => panic!("{text}: {other:?}"),
    }
}

fn variable(scope: Scope, name: &str, value: SetValue) -> Assignment {
    Assignment::Variable { scope, name: name.into(), value }
}

fn names(charset: &str, collation: Option<&str>) -> Assignment {
    Assignment::Names { charset: Some(charset.into()), collation: collation.map(Into::into) }
}

#[test]
fn other_texts_are_left_to_the_module_unread() {
    for text in [
        "",
        ";",
        "-- nothing",
        "SELECT 1",
        "get \"unterminated",
        "'SET' x",
        "/* unterminated SET",
        "\0\u{1}\u{2}",
        "{\"op\": \"put\"}",
        "CREATE TABLE t (a INT)",
        "SET CATALOG default_catalog",
        "SHOW TABLES",
        "SHOW FULL TABLES",
        "SHOW FULL COLUMNS FROM t",
        "SHOW",
        "SHOW CREATE TABLE t",
        "ALTER TABLE t RENAME u",
        "ADMIN SHOW REPLICA STATUS FROM t",
        "START",
        "CHECK x",
        "PREPARE s FROM 'SELECT 1'",
        "settle 1",
    ] {
        assert_eq!(host_statement(text), Ok(None), "{text}");
    }
    let long = format!("put {}", "x".repeat(2 << 20));
    assert_eq!(host_statement(&long), Ok(None));
}

#[test]
fn texts_that_begin_like_the_hosts_must_go_on_like_them() {
    for text in [
        "SET",
        "SET a",
        "SET a =",
        "SET a = 1,",
        "SET a = (1",
        "SET a = 'x",
        "SET NAMES",
        "SET PASSWORD = x",
        "SET TRANSACTION ISOLATION LEVEL NONE",
        "BEGIN x",
        "COMMIT AND",
        "ROLLBACK TO x",
        "START TRANSACTION READ",
        "SHOW VARIABLES LIKE x",
        "SHOW VARIABLES x",
        "SHOW COUNT(*) x",
        "KILL",
        "KILL x",
        "KILL -1",
        "ALTER SYSTEM",
        "ALTER SYSTEM ADD FOLLOWER",
        "ALTER SYSTEM ADD FOLLOWER a:1",
        "ALTER SYSTEM ADD FOLLOWER 'a:1',",
        "ALTER SYSTEM MODIFY FRONTEND HOST 'a'",
        "ALTER SYSTEM MODIFY FRONTEND 'a:1'",
        "ALTER SYSTEM MODIFY FRONTEND 'a:1' TO LEADER",
        "ALTER SYSTEM MODIFY FRONTEND 'a:1', 'b:1' TO OBSERVER",
        "ALTER SYSTEM TRANSFER LEADER 'a:1'",
        "ADMIN SET FRONTEND CONFIG",
        "ADMIN SET FRONTEND CONFIG ('a')",
        "SHOW PROC",
        "INSTALL MODULE 'x'",
        "CHECK MODULE",
        "CHECK MODULE 'a@1' LIMIT",
        "CHECK MODULE 'a@1' LIMIT x",
        "SHOW MODULE HISTORY x",
        "BEGIN; COMMIT",
        "/*!40101 SET a = 1",
    ] {
        let error = host_statement(text).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Syntax, "{text}: {error}");
    }
}

#[test]
fn what_is_not_offered_is_named_as_such() {
    for text in [
        "ALTER SYSTEM ADD BACKEND 'h:9050'",
        "ALTER SYSTEM DECOMMISSION BACKEND 'h:9050'",
        "ALTER SYSTEM CLEAN TABLET SCHEDULER QUEUE",
        "SET ROLE all",
        "SET DEFAULT ROLE all TO u",
        "SET PROPERTY 'a' = 'b'",
    ] {
        let error = host_statement(text).unwrap_err();
        assert_eq!((error.kind, error.errno()), (ErrorKind::Unsupported, 1235), "{text}: {error}");
    }
}

#[test]
fn error_says_what_was_expected_and_where() {
    let error = host_statement("ALTER SYSTEM\nADD OBSERVER 9010").unwrap_err();
    assert_eq!(
        error.to_string(),
        "You have an error in your SQL syntax; expected host:port in quotes, found '9010' \
         near '9010' at line 2"
    );
    assert_eq!((error.line, error.column, error.offset), (2, 14, 26));
    assert_eq!((error.errno(), error.sqlstate()), (1064, "42000"));
    let error = host_statement("KILL").unwrap_err();
    assert_eq!(error.reason, "expected a connection id, found the end of the statement");
    assert_eq!(error.near, "");
}

#[test]
fn set_in_the_forms_of_clients() {
    let word = |text: &str| SetValue::Word(text.into());
    let number = |text: &str| SetValue::Number(text.into());
    assert_eq!(assignments("SET NAMES utf8mb4"), [names("utf8mb4", None)]);
    assert_eq!(
        assignments("SET NAMES 'utf8mb4' COLLATE 'utf8mb4_0900_ai_ci'"),
        [names("utf8mb4", Some("utf8mb4_0900_ai_ci"))]
    );
    assert_eq!(assignments("/*!40101 SET NAMES utf8 */;"), [names("utf8", None)]);
    assert_eq!(
        assignments("set names default"),
        [Assignment::Names { charset: None, collation: None }]
    );
    assert_eq!(
        assignments("SET CHARACTER SET utf8, charset latin1"),
        [
            Assignment::CharacterSet(Some("utf8".into())),
            Assignment::CharacterSet(Some("latin1".into()))
        ]
    );
    assert_eq!(
        assignments("SET AUTOCOMMIT = 0"),
        [variable(Scope::Session, "AUTOCOMMIT", number("0"))]
    );
    assert_eq!(
        assignments("SET @@session.autocommit = OFF"),
        [variable(Scope::Session, "autocommit", word("OFF"))]
    );
    assert_eq!(
        assignments("SET GLOBAL a = -1, @@global.b := 'x', c = DEFAULT, LOCAL d = NULL, @u := ON"),
        [
            variable(Scope::Global, "a", number("-1")),
            variable(Scope::Global, "b", SetValue::String("x".into())),
            variable(Scope::Session, "c", SetValue::Default),
            variable(Scope::Session, "d", SetValue::Null),
            Assignment::User { name: "u".into(), value: word("ON") },
        ]
    );
    assert_eq!(
        assignments("SET @OLD_SQL_MODE=@@SQL_MODE, SQL_MODE=@OLD_SQL_MODE"),
        [
            Assignment::User {
                name: "OLD_SQL_MODE".into(),
                value: SetValue::Variable { scope: Scope::Session, name: "SQL_MODE".into() },
            },
            variable(Scope::Session, "SQL_MODE", SetValue::User("OLD_SQL_MODE".into())),
        ]
    );
    assert_eq!(
        assignments("SET sql_mode = CONCAT(@@sql_mode, ',STRICT_TRANS_TABLES'), names = 1"),
        [
            variable(
                Scope::Session,
                "sql_mode",
                SetValue::Expression("CONCAT(@@sql_mode, ',STRICT_TRANS_TABLES')".into())
            ),
            variable(Scope::Session, "names", number("1")),
        ]
    );
    assert_eq!(
        assignments("SET catalog = 'x', PERSIST a.b = 1, @`key` = 2, @'odd name' = 3").len(),
        4
    );
}

#[test]
fn set_transaction_and_password() {
    assert_eq!(
        session("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED, READ ONLY"),
        SessionStatement::SetTransaction {
            scope: Some(Scope::Session),
            modes: vec![TransactionMode::ReadCommitted, TransactionMode::ReadOnly],
        }
    );
    assert_eq!(
        session("SET TRANSACTION READ WRITE"),
        SessionStatement::SetTransaction { scope: None, modes: vec![TransactionMode::ReadWrite] }
    );
    let SessionStatement::SetPassword { account: Some(account), password } =
        session("SET PASSWORD FOR 'jack'@'192.%' = PASSWORD('123')")
    else {
        panic!();
    };
    assert_eq!((account.name.as_str(), account.host.as_str()), ("jack", "192.%"));
    assert_eq!(password, Password::Clear("123".into()));
    assert_eq!(
        session("SET PASSWORD = '*6BB4'"),
        SessionStatement::SetPassword { account: None, password: Password::Text("*6BB4".into()) }
    );
}

#[test]
fn transactions() {
    assert_eq!(session("begin work"), SessionStatement::Begin(vec![]));
    assert_eq!(
        session("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY;"),
        SessionStatement::Begin(vec![
            TransactionMode::ConsistentSnapshot,
            TransactionMode::ReadOnly
        ])
    );
    let SessionStatement::Commit(completion) = session("COMMIT WORK AND CHAIN NO RELEASE") else {
        panic!();
    };
    assert_eq!((completion.chain, completion.release), (true, false));
    let SessionStatement::Rollback(completion) = session("ROLLBACK AND NO CHAIN RELEASE") else {
        panic!();
    };
    assert_eq!((completion.chain, completion.release), (false, true));
}

#[test]
fn shows_of_the_session() {
    assert_eq!(
        session("SHOW GLOBAL VARIABLES LIKE 'sql_mode'"),
        SessionStatement::ShowVariables {
            scope: Scope::Global,
            filter: Some(ShowFilter::Like("sql_mode".into())),
        }
    );
    assert!(matches!(
        session("show variables where Variable_name in ('a', 'b') or value = 1"),
        SessionStatement::ShowVariables { filter: Some(ShowFilter::Where(_)), .. }
    ));
    assert_eq!(
        session("SHOW SESSION STATUS"),
        SessionStatement::ShowStatus { scope: Scope::Session, filter: None }
    );
    assert_eq!(
        session("SHOW WARNINGS LIMIT 5, 10"),
        SessionStatement::ShowWarnings(Some(Limit { offset: 5, count: 10 }))
    );
    assert_eq!(session("SHOW ERRORS"), SessionStatement::ShowErrors(None));
    assert_eq!(session("SHOW COUNT(*) WARNINGS"), SessionStatement::CountWarnings);
    assert_eq!(session("SHOW COUNT ( * ) ERRORS"), SessionStatement::CountErrors);
    assert_eq!(session("SHOW FULL PROCESSLIST"), SessionStatement::ShowProcesslist { full: true });
    assert_eq!(session("SHOW PROCESSLIST"), SessionStatement::ShowProcesslist { full: false });
    assert_eq!(session("SHOW STORAGE ENGINES"), SessionStatement::ShowEngines);
    assert_eq!(session("SHOW ENGINES"), SessionStatement::ShowEngines);
    assert_eq!(session("SHOW COLLATION"), SessionStatement::ShowCollation(None));
    for text in ["SHOW CHARACTER SET LIKE 'u%'", "SHOW CHARSET LIKE 'u%'"] {
        let filter = Some(ShowFilter::Like("u%".into()));
        assert_eq!(session(text), SessionStatement::ShowCharacterSet(filter));
    }
    assert_eq!(session("SHOW PLUGINS"), SessionStatement::ShowPlugins);
    assert_eq!(session("SHOW PRIVILEGES"), SessionStatement::ShowPrivileges);
    assert_eq!(
        session("KILL QUERY 7"),
        SessionStatement::Kill { target: KillTarget::Query, id: 7 }
    );
    assert_eq!(session("KILL 7"), SessionStatement::Kill { target: KillTarget::Connection, id: 7 });
}

#[test]
fn frontends_and_their_configuration() {
    assert_eq!(
        cluster("ALTER SYSTEM ADD FOLLOWER \"h1:9010\", 'h2:9010';"),
        ClusterStatement::AddFrontends {
            kind: FrontendKind::Follower,
            addresses: vec!["h1:9010".into(), "h2:9010".into()],
            force: false,
        }
    );
    assert_eq!(
        cluster("alter system drop observer 'h:9010' force"),
        ClusterStatement::DropFrontends {
            kind: FrontendKind::Observer,
            addresses: vec!["h:9010".into()],
            force: true,
        }
    );
    assert_eq!(
        cluster("ALTER SYSTEM MODIFY FRONTEND HOST \"a\" TO \"b\""),
        ClusterStatement::ModifyFrontendHost { from: "a".into(), to: "b".into() }
    );
    for (text, kind, force) in [
        ("ALTER SYSTEM MODIFY FRONTEND 'h:1' TO FOLLOWER", FrontendKind::Follower, false),
        ("alter system modify frontend \"h:1\" to observer force", FrontendKind::Observer, true),
    ] {
        let address = "h:1".into();
        assert_eq!(cluster(text), ClusterStatement::ModifyFrontendKind { address, kind, force });
    }
    assert_eq!(
        cluster("ALTER SYSTEM TRANSFER LEADER TO \"h:9010\" FORCE"),
        ClusterStatement::TransferLeader { to: "h:9010".into(), force: true }
    );
    assert_eq!(cluster("ALTER SYSTEM CREATE IMAGE"), ClusterStatement::CreateImage);
    let epoch = ClusterStatement::SetEngineEpoch(2);
    assert_eq!(cluster("ALTER SYSTEM SET ENGINE EPOCH 2"), epoch);
    assert_eq!(cluster("/* x */ SHOW FRONTENDS -- y"), ClusterStatement::ShowFrontends);
    assert_eq!(cluster("SHOW PROC '/frontends'"), ClusterStatement::ShowProc("/frontends".into()));
    assert_eq!(
        cluster("ADMIN SHOW FRONTEND CONFIG LIKE 'run_mode'"),
        ClusterStatement::ShowConfig(Some(ShowFilter::Like("run_mode".into())))
    );
    let ClusterStatement::SetConfig(properties) =
        cluster("ADMIN SET FRONTEND CONFIG (\"qe_max_connection\" = 100)")
    else {
        panic!();
    };
    assert_eq!(properties[0].value, "100");
}

#[test]
fn life_of_modules() {
    let module = |text: &str| match host(text) {
        HostStatement::Module(statement) => statement,
        other => panic!("{text}: {other:?}"),
    };
    for text in ["CHECK MODULE 'catalog'", "ACTIVATE MODULE '@1'", "ACTIVATE MODULE 'catalog@'"] {
        assert_eq!(host_statement(text).unwrap_err().kind, ErrorKind::Invalid, "{text}");
    }
    let version = ModuleVersion { name: "catalog".into(), version: "2.0.0".into() };
    assert_eq!(version.to_string(), "catalog@2.0.0");
    let install = |signature: Option<&str>| ModuleStatement::Install {
        file: "/m/catalog.wasm".into(),
        signature: signature.map(str::to_owned),
    };
    assert_eq!(module("INSTALL MODULE FROM '/m/catalog.wasm'"), install(None));
    assert_eq!(module("INSTALL MODULE FROM '/m/catalog.wasm' SIGNED BY 's'"), install(Some("s")));
    assert_eq!(module("SHOW MODULES"), ModuleStatement::List);
    assert_eq!(module("SHOW MODULE HISTORY"), ModuleStatement::History);
    assert_eq!(module("SHOW MODULE 'catalog@2.0.0'"), ModuleStatement::Show(version.clone()));
    assert_eq!(module("RETIRE MODULE 'catalog@2.0.0'"), ModuleStatement::Retire(version.clone()));
    assert_eq!(module("CANCEL MODULE ACTIVATION"), ModuleStatement::Cancel);
    assert_eq!(module("ROLLBACK MODULE;"), ModuleStatement::Rollback(RollbackModule::default()));
    let check = |limit| ModuleStatement::Check { module: version.clone(), limit };
    assert_eq!(module("CHECK MODULE 'catalog@2.0.0'"), check(None));
    assert_eq!(module("check module 'catalog@2.0.0' limit 500"), check(Some(500)));
    let (from, gate) = (Some(ModuleFrom::Module(version)), ModuleGate::Force);
    assert_eq!(
        module("explain rollback module from 'catalog@2.0.0' force"),
        ModuleStatement::ExplainRollback(RollbackModule { from, gate })
    );
}

#[test]
fn activations_at_once_and_later() {
    let module = |text: &str| match host(text) {
        HostStatement::Module(statement) => statement,
        other => panic!("{text}: {other:?}"),
    };
    let plain = ActivateModule {
        module: ModuleVersion { name: "m".into(), version: "2".into() },
        from: None,
        gate: ModuleGate::All,
        time: ModuleTime::Now,
        breaking: None,
    };
    assert_eq!(module("ACTIVATE MODULE 'm@2'"), ModuleStatement::Activate(plain.clone()));
    assert_eq!(
        module("EXPLAIN ACTIVATE MODULE 'm@2'"),
        ModuleStatement::ExplainActivate(plain.clone())
    );
    let all = ActivateModule {
        from: Some(ModuleFrom::Nothing),
        gate: ModuleGate::Quorum,
        time: ModuleTime::AtLsn(900),
        breaking: Some("ab".into()),
        ..plain.clone()
    };
    let text = "ACTIVATE MODULE 'm@2' FROM NONE QUORUM AT LSN 900 BREAKING 'ab'";
    assert_eq!(module(text), ModuleStatement::Activate(all));
    for (after, seconds) in [("1 SECOND", 1), ("5 MINUTES", 300), ("2 HOURS", 7200)] {
        let later = ActivateModule { time: ModuleTime::After(seconds), ..plain.clone() };
        let text = format!("ACTIVATE MODULE 'm@2' AFTER {after}");
        assert_eq!(module(&text), ModuleStatement::Activate(later));
    }
    for wrong in [
        "AFTER 9 WEEKS",
        "AFTER 99999999 HOURS",
        "AT LSN",
        "AT 5",
        "BREAKING",
        "LATER",
        "FROM",
        "FROM m@1",
        "FROM 'm'",
        "FORCE FROM NONE",
    ] {
        assert!(host_statement(&format!("ACTIVATE MODULE 'm@2' {wrong}")).is_err(), "{wrong}");
    }
    for wrong in ["CANCEL MODULE", "RETIRE MODULE", "EXPLAIN ROLLBACK MODULE 'm@2'"] {
        assert!(host_statement(wrong).is_err(), "{wrong}");
    }
    assert_eq!(host_statement("EXPLAIN SELECT 1").unwrap(), None);
}
