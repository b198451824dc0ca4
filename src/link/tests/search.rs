//! Tests of searches.

use super::*;
use crate::model::{ErrorCode, SearchRequest, SearchResult, Sequence};

/// Returns a simulation whose server can search. The client is in `lobby` and has been shown
/// messages 5 to 14.
fn search_simulation() -> Simulation {
    let mut server = ModelServer::new();
    server.features = feature::SEARCH;
    for _ in 0..14 {
        server.other_says("lobby");
    }
    let mut sim = Simulation::new(settings(), server);
    sim.run_until_idle();
    sim
}

/// Requests the newest two messages that contain `text`, before the sequence `before`. The tag is
/// `text`.
fn search(sim: &mut Simulation, text: &str, before: Option<u64>) {
    let before = before.map(Sequence);
    let search =
        SearchRequest { text: text.to_owned(), before, limit: 2, ..SearchRequest::default() };
    sim.input(Input::Request(Request {
        tag: RequestTag(Some(text.into())),
        command: Command::Chat(ChatCommand::Search(search)),
    }));
}

/// Returns the search results reported so far.
fn results(sim: &Simulation) -> Vec<&SearchResult> {
    let mut all = Vec::new();
    for event in &sim.events {
        if let Event::SearchResult(found) = event {
            all.push(found);
        }
    }
    all
}

/// Returns the sequences of the messages found.
fn sequences(found: &SearchResult) -> Vec<u64> {
    found.messages.iter().map(|it| it.sequence.0).collect()
}

/// Requests the two messages before the oldest one shown in the first room.
fn request_history(sim: &mut Simulation) {
    let room = RoomSelector::First;
    sim.request(Command::Chat(ChatCommand::History { room, before: None, limit: 2 }));
}

/// Returns the sequences of the messages shown in answer to `history`.
fn shown_history(sim: &Simulation) -> Vec<u64> {
    let requested = |event: &Event| match event {
        Event::Message(it) if it.requested => Some(it.sequence.0),
        _ => None,
    };
    sim.events.iter().filter_map(requested).collect()
}

/// Returns code and text of each refused request.
fn refusals(sim: &Simulation) -> Vec<(u16, String)> {
    let mut all = Vec::new();
    for event in &sim.events {
        if let Event::Refused(it) = event {
            all.push((it.code, it.text.to_string()));
        }
    }
    all
}

/// Results are reported as one event. The page before them can be requested.
#[test]
fn search_pages_lead_to_older_results() {
    let mut sim = search_simulation();
    search(&mut sim, "other", None);
    sim.run_until_idle();
    let first = results(&sim)[0].clone();
    assert_eq!(
        (sequences(&first), first.more, first.tag.0.as_deref()),
        (vec![13, 14], true, Some("other"))
    );
    let older = first.older().unwrap();
    assert_eq!((older.before, older.text.as_str()), (Some(Sequence(13)), "other"));
    search(&mut sim, "other", Some(2));
    sim.run_until_idle();
    let last = results(&sim)[1];
    assert_eq!((sequences(last), last.more, last.older()), (vec![1], false, None));
    // Results are not shown as ordinary messages.
    assert!(shown_history(&sim).is_empty());
    search(&mut sim, "nothing", None);
    sim.run_until_idle();
    assert!(results(&sim)[2].messages.is_empty());
}

/// Answers to a search and to a `history` in flight together are told apart. Search results do not
/// change where `history` continues.
#[test]
fn search_and_history_answers_are_told_apart() {
    let mut sim = search_simulation();
    request_history(&mut sim);
    search(&mut sim, "other 0", None);
    sim.run_until_idle();
    assert_eq!((shown_history(&sim), sequences(results(&sim)[0])), (vec![3, 4], vec![1]));
    search(&mut sim, "other 0", None);
    request_history(&mut sim);
    sim.run_until_idle();
    assert_eq!((shown_history(&sim), sequences(results(&sim)[1])), (vec![3, 4, 1, 2], vec![1]));
}

/// A connection loss interrupts the answer to a search. The search is repeated and reports nothing
/// twice.
#[test]
fn interrupted_search_is_repeated_without_duplicates() {
    let mut sim = search_simulation();
    search(&mut sim, "other", None);
    while sim.deliver_to_server() {}
    assert!(sim.deliver_to_client() && results(&sim).is_empty());
    sim.break_connection();
    sim.run_until_idle();
    assert_eq!(results(&sim).len(), 1);
    assert_eq!(sequences(results(&sim)[0]), [13, 14]);
}

/// A search is refused locally if the server lacks the feature or the search is too long.
#[test]
fn unsupported_or_oversized_search_is_refused_locally() {
    let mut sim = Simulation::new(settings(), ModelServer::new());
    sim.run_until_idle();
    search(&mut sim, "tea", None);
    assert_eq!(refusals(&sim), [(0, "This server cannot search.".to_owned())]);
    assert!(sim.to_server.is_empty());
    // After a reconnect the server may have the feature.
    sim.server.features = feature::SEARCH;
    sim.break_connection();
    search(&mut sim, "tea", None);
    sim.run_until_idle();
    assert_eq!(results(&sim).len(), 1);
    search(&mut sim, &"x".repeat(257), None);
    let search = SearchRequest { room: Some("x".repeat(257)), ..SearchRequest::default() };
    sim.request(Command::Chat(ChatCommand::Search(search)));
    assert_eq!(refusals(&sim).len(), 3);
    assert!(sim.to_server.is_empty());
}

/// A search that the server refuses is reported with its error. Later searches work.
#[test]
fn refused_search_does_not_affect_later_searches() {
    for code in [ErrorCode::NotInRoom, ErrorCode::SearchInvalid, ErrorCode::Unavailable] {
        let mut sim = search_simulation();
        sim.server.search_error = Some(code);
        search(&mut sim, "tea", None);
        sim.run_until_idle();
        assert_eq!(refusals(&sim), [(code.number(), code.default_text().to_owned())]);
        sim.server.search_error = None;
        search(&mut sim, "tea", None);
        sim.run_until_idle();
        assert_eq!(results(&sim).len(), 1);
    }
}

/// Results beyond the requested limit are dropped.
#[test]
fn surplus_search_results_are_dropped() {
    let mut sim = search_simulation();
    sim.server.ignores_limits = true;
    search(&mut sim, "other", None);
    sim.run_until_idle();
    assert_eq!(results(&sim)[0].messages.len(), 2);
}
