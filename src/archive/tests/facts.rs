//! Tests of the owner's tools on a log with facts and a removed message.

use rusqlite::Connection;

use super::*;
use crate::hub::{FactTicket, Now, Proposal, RestoredState};
use crate::log::{Log, SqliteLog, StoreSettings};
use crate::model::{
    Actor, Draft, FactDraft, MessageText, ModerationAction, Moment, NamedSession, Reason,
    Reference, RoomName, Sanction, SanctionLength, Scope, Sequence, SessionId, Username,
};

/// Opens the log of a directory as a server does, with the restored state.
fn open_log(directory: &Path) -> (SqliteLog, RestoredState) {
    let settings = StoreSettings { directory: directory.to_path_buf(), ..StoreSettings::default() };
    SqliteLog::open(settings).unwrap()
}

/// Returns a session of this number, which is called anna.
fn anna(session: u64) -> NamedSession {
    NamedSession { session: SessionId(session), username: Username::new("anna").unwrap() }
}

/// Creates a log with these items, all at the time 5:
/// - 1 and 2: messages of anna (session 1) in the lobby, `secret` and `other`;
/// - 3: the owner bans bob;
/// - 4: the owner removes message 1;
/// - 5: anna (session 9) tries to remove message 2, which is not permitted.
fn create_log(directory: &Path) {
    let (mut log, _) = open_log(directory);
    let message = |reference, text| {
        let text = MessageText::new(text).unwrap();
        Proposal::Message(Draft { reference: Reference(reference), text, ..Draft::example() })
    };
    let fact = |ticket, actor, action| {
        let reason = Some(Reason::new("spam").unwrap());
        let draft = FactDraft { actor, action, reason };
        Proposal::Fact { ticket: FactTicket(ticket), draft }
    };
    let remove = |message| {
        let (room, message) = (RoomName::lobby(), Sequence(message));
        ModerationAction::MessageRemoved { room, message, author: anna(1) }
    };
    let sanction = Sanction {
        scope: Scope::Server,
        username: Username::new("bob").unwrap(),
        session: None,
        length: SanctionLength::FOREVER,
    };
    let ban = ModerationAction::Banned { sanction, group: None };
    let proposals = vec![
        message(1, "secret"),
        message(2, "other"),
        fact(1, Actor::CommandLine, ban),
        fact(2, Actor::CommandLine, remove(1)),
        fact(3, Actor::Session(anna(9)), remove(2)),
    ];
    log.propose(Now { moment: Moment::START, time: Timestamp(5) }, proposals);
}

/// Returns the audit of a directory as text.
fn audit_text(directory: &Path) -> String {
    let mut out = Vec::new();
    let options = AuditOptions { room: None, since: None, format: AuditFormat::Text };
    audit(directory, &options, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn tools_show_the_placeholder_and_the_actions() {
    let parent = tempfile::tempdir().unwrap();
    let [directory, copy] = ["log", "copy"].map(|it| parent.path().join(it));
    create_log(&directory);
    check_without_faults(&directory);
    std::fs::create_dir(&copy).unwrap();
    backup(&directory, &copy.join("chat.db")).unwrap();
    check_without_faults(&copy);
    for directory in [&directory, &copy] {
        let texts: Vec<String> = messages(directory).into_iter().map(|it| it.text).collect();
        assert_eq!(texts, ["[removed]", "other"]);
        let time = "1970-01-01 00:00:00Z";
        let expected = [
            "the command line banned bob from the server without end: spam",
            "the command line removed message 1 of anna (session 1) in #lobby: spam",
            "anna (session 9) removed message 2 of anna (session 1) in #lobby: spam \
             (without effect: not permitted, or not possible)",
        ];
        let expected: String = expected.iter().map(|it| format!("{time} {it}\n")).collect();
        assert_eq!(audit_text(directory), expected);
    }
}

/// An import gives facts new numbers, as messages, and what they name too. Sanctions stay in force.
/// A removed text does not come back.
#[test]
fn import_keeps_the_actions_and_brings_no_removed_text_back() {
    let directory = tempfile::tempdir().unwrap();
    create_log(directory.path());
    let removed = message(5, "anna", 1, 1, "secret");
    let added =
        import_all(directory.path(), &[message(1, "carla", 7, 1, "older"), removed.clone()]);
    assert_eq!(added, 1);
    check_without_faults(directory.path());
    let texts: Vec<String> = messages(directory.path()).into_iter().map(|it| it.text).collect();
    assert_eq!(texts, ["older", "[removed]", "other"]);
    let (log, restored) = open_log(directory.path());
    drop(log);
    assert_eq!(restored.head, Sequence(6));
    let sanctions: Vec<Sequence> = restored.moderation.sanctions().map(|it| it.sequence).collect();
    assert_eq!(sanctions, [Sequence(4)]);
    let told = audit_text(directory.path());
    assert!(told.contains("removed message 2 of anna"), "{told}");
    assert!(told.contains("removed message 3 of anna"), "{told}");
    assert_eq!(import_all(directory.path(), &[removed]), 0);
    check_without_faults(directory.path());
}

/// Each case damages the facts or the state in one way. The check reports it.
#[test]
fn check_reports_faults_of_facts() {
    for (statements, told) in [
        ("UPDATE facts SET fact = x'00' WHERE sequence = 3", "a fact: "),
        ("UPDATE facts SET sequence = 2 WHERE sequence = 3", "sequence 2 was given twice"),
        ("UPDATE facts SET removed_in = NULL", "fact 4: the room of its message is wrong"),
        ("UPDATE entries SET style = 0, text = 'b'", "message 1 was removed, and its text is"),
        ("UPDATE entries SET text = 'b' WHERE sequence = 1", "message 1 was removed, and its"),
        ("UPDATE moderation SET fact = x'00'", "the moderation state: "),
        ("UPDATE moderation SET register = x'00'", "the moderation state: "),
        ("UPDATE properties SET value = 9 WHERE name = 'moderated'", "moderated: 9 is not between"),
    ] {
        let directory = tempfile::tempdir().unwrap();
        create_log(directory.path());
        let connection = Connection::open(directory.path().join("chat.db")).unwrap();
        connection.execute_batch(statements).unwrap();
        let report = check(directory.path()).unwrap();
        assert!(report.faults.iter().any(|it| it.contains(told)), "{statements}: {report:?}");
    }
}
