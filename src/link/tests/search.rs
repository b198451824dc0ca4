//! Searches.

use super::*;
use crate::model::{ErrorCode, Found, Search, Sequence};

/// A sim with somebody in `lobby`, who has seen 5 to 14 of what was said
/// there, and whose server searches.
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

/// Asks for messages with this in them, two at a time.
fn search(sim: &mut Simulation, text: &str, before: Option<u64>) {
    let before = before.map(Sequence);
    let search = Search { text: text.to_owned(), before, limit: 2, ..Search::default() };
    sim.input(Input::Request(Request {
        tag: Tag(Some(text.into())),
        command: Command::Do(Task::Search(search)),
    }));
}

/// What was found, answer by answer.
fn results(sim: &Simulation) -> Vec<&Found> {
    let mut all = Vec::new();
    for event in &sim.events {
        if let Event::Found(found) = event {
            all.push(found);
        }
    }
    all
}

/// Sequences of what was found.
fn sequences(found: &Found) -> Vec<u64> {
    found.messages.iter().map(|it| it.sequence.0).collect()
}

/// Asks for two messages older than those shown.
fn request_history(sim: &mut Simulation) {
    let place = Place::First;
    sim.request(Command::Do(Task::History { place, before: None, limit: 2 }));
}

/// Sequences of the older messages that were shown.
fn shown_history(sim: &Simulation) -> Vec<u64> {
    let requested = |event: &Event| match event {
        Event::Message(it) if it.requested => Some(it.sequence.0),
        _ => None,
    };
    sim.events.iter().filter_map(requested).collect()
}

/// Why requests were refused: codes and sentences.
fn refusals(sim: &Simulation) -> Vec<(u16, &str)> {
    let mut all = Vec::new();
    for event in &sim.events {
        if let Event::Refused(it) = event {
            all.push((it.code, it.text.as_str()));
        }
    }
    all
}

/// The answer comes as one thing; from it one gets to the page before it.
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
    // Nothing of it was shown as if it had just been said.
    assert!(shown_history(&sim).is_empty());
    search(&mut sim, "nothing", None);
    sim.run_until_idle();
    assert!(results(&sim)[2].messages.is_empty());
}

/// Answers that were asked for together are told apart, and what was found
/// does not change what `history` goes on from.
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

/// A connection that breaks in the middle of the answer: it comes again, and
/// nothing in it comes twice.
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

/// A server that never said that it searches is not asked; nor is any with
/// what it would not take.
#[test]
fn unsupported_or_oversized_search_is_refused_locally() {
    let mut sim = Simulation::new(settings(), ModelServer::new());
    sim.run_until_idle();
    search(&mut sim, "tea", None);
    assert_eq!(refusals(&sim), [(0, "This server cannot search.")]);
    assert!(sim.to_server.is_empty());
    // The next server may be a newer one.
    sim.server.features = feature::SEARCH;
    sim.break_connection();
    search(&mut sim, "tea", None);
    sim.run_until_idle();
    assert_eq!(results(&sim).len(), 1);
    search(&mut sim, &"x".repeat(257), None);
    let search = Search { room: Some("x".repeat(257)), ..Search::default() };
    sim.request(Command::Do(Task::Search(search)));
    assert_eq!(refusals(&sim).len(), 3);
    assert!(sim.to_server.is_empty());
}

/// What the server refuses is refused as what it is, and others go on.
#[test]
fn refused_search_does_not_affect_later_searches() {
    for code in [ErrorCode::NotInRoom, ErrorCode::SearchInvalid, ErrorCode::Unavailable] {
        let mut sim = search_simulation();
        sim.server.search_error = Some(code);
        search(&mut sim, "tea", None);
        sim.run_until_idle();
        assert_eq!(refusals(&sim), [(code.number(), code.sentence())]);
        sim.server.search_error = None;
        search(&mut sim, "tea", None);
        sim.run_until_idle();
        assert_eq!(results(&sim).len(), 1);
    }
}

/// A server that sends more than was asked for fills no memory with it.
#[test]
fn surplus_search_results_are_dropped() {
    let mut sim = search_simulation();
    sim.server.ignores_limits = true;
    search(&mut sim, "other", None);
    sim.run_until_idle();
    assert_eq!(results(&sim)[0].messages.len(), 2);
}
