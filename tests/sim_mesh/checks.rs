//! Checks of the page's promises. Each check examines a world at its end and describes violations.

use std::collections::{BTreeSet, HashMap, HashSet};

use pi_chat::model::{Lamport, PeerId};
use pi_chat::wire::udp::EntryId;

use super::bounds;
use super::peer_run::{Agreed, PeerRun, RunId, Shown, Snapshot, Stage};
use super::runner::seconds;
use super::world::{S, World};

/// Check with its name.
pub(crate) type Check = (&'static str, fn(&World) -> Vec<String>);

/// All checks.
pub(crate) const ALL: [Check; 9] = [
    ("1 names_are_unique", names_are_unique),
    ("2 members_objection_rejects", members_objection_rejects),
    ("3 same_messages_same_order", same_messages_same_order),
    ("4 each_message_is_shown_once", each_message_is_shown_once),
    ("5 history_is_that_of_the_most_senior", history_is_that_of_the_most_senior),
    ("6 no_live_member_is_gone", no_live_member_is_gone),
    ("7 traffic_is_bounded", traffic_is_bounded),
    ("8 every_candidate_is_decided", every_candidate_is_decided),
    ("9 liars_take_no_name", liars_take_no_name),
];

/// Name of the violation when the engine or the simulation has panicked.
pub(crate) const PANICKED: &str = "0 panicked";

/// Runs all checks, and returns the violations with the names of the checks.
pub(crate) fn violations(world: &World) -> Vec<(&'static str, String)> {
    let of = |(name, check): Check| check(world).into_iter().map(move |it| (name, it));
    ALL.into_iter().flat_map(of).collect()
}

/// Number of entries that an engine retains.
const KEPT: usize = 2_000;

/// Returns the members that are awake at the end.
fn members(world: &World) -> Vec<RunId> {
    world.awake().filter(|it| world.runs[*it].admitted.is_some()).collect()
}

/// **Names are unique** (section 13): no two members with colliding names can talk to each other
/// for longer than discovery plus I(n) + 3 s, or know each other for longer than I(n) + 3 s. With
/// loss, steps may have to be repeated.
pub(crate) fn names_are_unique(world: &World) -> Vec<String> {
    let (count, loss) = (world.machines.len(), world.worst_loss);
    let settled = bounds::name_conflict_bound(count, loss);
    let met = settled + bounds::discovery_bound(count, loss);
    // Collisions are observed only periodically.
    let (settled, met) = (settled + 2 * world.observe_interval, met + 2 * world.observe_interval);
    let is_wrong =
        |it: &super::observer::NameCollision| it.known_for > settled || it.connected_for > met;
    let wrong = world.collisions.iter().filter(|(_, it)| is_wrong(it));
    wrong
        .map(|((one, other), it)| {
            format!(
                "{one} and {other} had one name for {} s while they could talk ({} s allowed), for {} s while they knew each other ({} s allowed); it is {:?} now",
                seconds(it.connected_for),
                seconds(met),
                seconds(it.known_for),
                seconds(settled),
                world.runs[*one].name,
            )
        })
        .collect()
}

/// **A member's objection rejects** (section 7): in a world without loss, an objection of a member
/// that all others know rejects the candidate, however many have agreed.
pub(crate) fn members_objection_rejects(world: &World) -> Vec<String> {
    let counts = |it: &&super::observer::Objection| {
        let stays = world.connected_since(it.by, it.to).is_some_and(|since| since <= it.at);
        it.is_by_known_member && stays && world.worst_loss == 0.0
    };
    let ignored = world.objections.iter().filter(counts);
    ignored
        .filter(|it| world.runs[it.to].admitted.is_some())
        .map(|it| {
            format!("{} was not rejected when {} objected at {} s", it.to, it.by, seconds(it.at))
        })
        .collect()
}

/// **The same messages in the same order** (section 9): at the end, all members have everything
/// above their floors that any member has to which they can talk, except for gaps that were
/// reported, in the order of (Lamport counter, author, sequence). A member that retains [`KEPT`]
/// entries may lack others. Users were shown them in this order, except for those marked as late.
pub(crate) fn same_messages_same_order(world: &World) -> Vec<String> {
    let members = &members(world);
    let mut wrong = Vec::new();
    let mut held: HashMap<RunId, HashSet<(RunId, u32)>> =
        members.iter().map(|it| (*it, HashSet::new())).collect();
    for id in members {
        let mut last = None;
        for entry in world.runs[*id].mesh.entries() {
            let (author, sequence) = (world.by_id[&entry.author.id], entry.fields.sequence);
            let place = (entry.fields.lamport, entry.author.id, sequence);
            if place_of(world, author, sequence) != Some(place) {
                wrong.push(format!("{id} has {author}'s {sequence} at another place: {place:?}"));
            }
            if last >= Some(place) {
                wrong.push(format!("{id} has {place:?} after {last:?}"));
            }
            last = Some(place);
            held.get_mut(id).unwrap().insert((author, sequence));
        }
        wrong.extend(shown_out_of_order(world, *id));
    }
    for id in members {
        let own = &held[id];
        let near = || members.iter().filter(|it| world.connected_since(*id, **it).is_some());
        let theirs: BTreeSet<(RunId, u32)> =
            near().flat_map(|it| held[it].difference(own)).copied().collect();
        for (author, sequence) in theirs {
            if own.len() < KEPT && !is_excused(world, *id, author, sequence) {
                let at = place_of(world, author, sequence);
                wrong.push(format!("{id} lacks {author}'s {sequence} ({at:?}) in the end"));
            }
        }
    }
    wrong
}

/// Returns the sort key of an entry in room order, as its author wrote it.
fn place_of(world: &World, author: RunId, sequence: u32) -> Option<(Lamport, PeerId, u32)> {
    let written = world.runs[author].written.get(sequence as usize - 1)?;
    Some((written.lamport, world.runs[author].signer.id, sequence))
}

/// Returns the messages that a user was shown out of room order without a late mark, or in order
/// with one.
fn shown_out_of_order(world: &World, id: RunId) -> Vec<String> {
    let (mut wrong, mut last) = (Vec::new(), None);
    for shown in &world.runs[id].shown {
        let place = place_of(world, shown.author, shown.sequence);
        if shown.is_late != (place < last) {
            wrong.push(format!("{id} was shown {shown:?} at {place:?} after {last:?}"));
        }
        last = last.max(place);
    }
    wrong
}

/// Returns true if a run need not have an entry: it is at or below a floor, or was given up.
fn is_excused(world: &World, id: RunId, author: RunId, sequence: u32) -> bool {
    let floor = world.runs[id].floors.get(&author).copied().unwrap_or(0);
    let is_it = |it: &super::observer::GivenUpEntry| {
        (it.by, it.author, it.sequence) == (id, author, sequence)
    };
    sequence <= floor || world.given_up.iter().any(is_it)
}

/// **Each message is shown exactly once** (sections 9 and 10). A member at the end was shown, above
/// its floors:
///
/// - every message of the members at the end that was sent before the quiet phase, if a member that
///   it can talk to was shown it,
/// - every message of a former member that could talk to it long enough afterwards to repair a
///   loss.
///
/// Every message that a member at the end has said before the quiet phase was sent, unless it was
/// refused. No message was shown twice, out of its author's order, or after a gap that was not
/// reported; and no gap was reported that another peer could have filled, or before the machine was
/// awake long enough to ask.
pub(crate) fn each_message_is_shown_once(world: &World) -> Vec<String> {
    let mut wrong = Vec::new();
    for (id, run) in world.runs.iter().enumerate() {
        wrong.extend(display_errors(id, run));
    }
    let (count, loss) = (world.machines.len(), world.worst_loss);
    let patience = bounds::repair_bound(count, loss);
    let known = bounds::discovery_bound(count, loss) + bounds::GIVE_UP + patience;
    for it in &world.given_up {
        let is_old = |since: u64| it.awake < bounds::GIVE_UP || since + known < it.at;
        if let Some((holder, since)) = it.holder.filter(|(_, since)| is_old(*since)) {
            let since = seconds(since);
            wrong.push(format!("{it:?}: but {holder} has it, who can be heard since {since} s"));
        }
    }
    let members = members(world);
    let seen: HashMap<RunId, HashSet<(RunId, usize)>> = members
        .iter()
        .map(|id| {
            let shown = world.runs[*id].shown.iter();
            (*id, shown.map(|it| (it.author, it.said)).collect())
        })
        .collect();
    for (author, run) in world.runs.iter().enumerate() {
        for (said, it) in run.said.iter().enumerate() {
            let stays = members.contains(&author);
            if stays && it.sent_at.is_none() && !it.is_refused && it.at < world.quiet_since {
                wrong.push(format!("{author}'s message {said} was never sent"));
            }
            let Some(sent) = it.sent_at else { continue };
            let sequence = run.written.iter().position(|it| it.said == said).unwrap() + 1;
            let sequence = u32::try_from(sequence).unwrap();
            for id in &members {
                let has_it = |it: &RunId| {
                    world.connected_since(*id, *it).is_some() && seen[it].contains(&(author, said))
                };
                let is_due = stays && sent < world.quiet_since && members.iter().any(has_it)
                    || was_together(world, author, *id, sent, patience);
                if is_due
                    && !seen[id].contains(&(author, said))
                    && !is_excused(world, *id, author, sequence)
                {
                    wrong.push(format!("{id} was never shown {author}'s {sequence}"));
                }
            }
        }
    }
    wrong
}

/// Returns true if the author of a message has ended, and before could talk to a run, which knew
/// it, for longer than `patience` after the message was sent.
fn was_together(world: &World, author: RunId, with: RunId, sent: u64, patience: u64) -> bool {
    let run = &world.runs[author];
    let companion = run.companions.iter().find(|(id, _)| *id == with);
    let Some((since, end, admitted)) =
        companion.and_then(|(_, since)| Some((*since, run.ended?, world.runs[with].admitted?)))
    else {
        return false;
    };
    since.max(sent).max(admitted) + patience < end
}

/// Returns the messages that a user was shown twice, also as two entries, out of an author's order,
/// or after an unreported gap.
fn display_errors(id: RunId, run: &PeerRun) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut entries = HashSet::new();
    let mut messages = HashSet::new();
    let mut last: HashMap<RunId, &Shown> = HashMap::new();
    for shown in &run.shown {
        if !entries.insert((shown.author, shown.sequence)) {
            wrong.push(format!("{id} was shown twice: {shown:?}"));
        } else if !messages.insert((shown.author, shown.said)) {
            wrong.push(format!("{id} was shown one message as two entries: {shown:?}"));
        }
        let before = last.insert(shown.author, shown);
        if before.is_some_and(|it| it.sequence > shown.sequence) {
            wrong.push(format!("{id} was shown {shown:?} after {before:?}"));
        }
        let reached = before.filter(|it| !it.is_history).map_or(0, |it| it.sequence);
        let floor = run.floors.get(&shown.author).copied().unwrap_or(0);
        let is_hole = shown.sequence > reached.max(floor) + 1;
        let since = before.map_or(0, |it| it.at);
        let was_told = run.gaps.iter().any(|it| (since..=shown.at).contains(it));
        if is_hole && !shown.is_history && !was_told {
            wrong.push(format!("{id} was shown {shown:?} after a hole, untold: {before:?}"));
        }
    }
    wrong
}

/// **A newcomer's history is that of the most senior member** (section 8): the last 10 messages of
/// the most senior one of those that agreed and have proven their address, as it had them when it
/// answered; of the next one only if the most senior one did not answer three requests; of another
/// one only if none of those did. With loss, some of the ten may be missing. Not checked in a world
/// with liars: newcomers believe what they claim about seniority.
pub(crate) fn history_is_that_of_the_most_senior(world: &World) -> Vec<String> {
    let mut wrong = Vec::new();
    if !world.liars.is_empty() {
        // What liars claim about seniority is believed by newcomers.
        return wrong;
    }
    for (id, run) in world.runs.iter().enumerate() {
        if run.admitted.is_some() {
            wrong.extend(check_history_of(world, id).err().map(|why| format!("{id}: {why}")));
        }
    }
    wrong
}

/// Checks the history of one newcomer. The error says what is wrong.
fn check_history_of(world: &World, id: RunId) -> Result<(), String> {
    let run = &world.runs[id];
    let name =
        |it: &Shown| EntryId { author: world.runs[it.author].signer.id, sequence: it.sequence };
    let shown: Vec<EntryId> = run.shown.iter().filter(|it| it.is_history).map(name).collect();
    let mut voters: Vec<&Agreed> = Vec::new();
    for agreed in run.agreed.iter().rev().filter(|it| run.proven.contains(&it.by)) {
        if !voters.iter().any(|it| it.by == agreed.by) {
            voters.push(agreed);
        }
    }
    voters.sort_unstable_by_key(|it| (it.since, world.runs[it.by].signer.id));
    let clocks = || voters.iter().map(|it| it.clock);
    // While two rooms merge, seniority is undecided.
    let is_one_room = clocks().max().unwrap_or(0) - clocks().min().unwrap_or(0) <= 1_000;
    for voter in voters.iter().map(|it| it.by) {
        let mut answers = run.histories.iter().filter(|(by, _)| *by == voter).peekable();
        if answers.peek().is_some() {
            let is_it = |given: &Vec<EntryId>| {
                if world.worst_loss > 0.0 { is_subsequence(&shown, given) } else { shown == *given }
            };
            let given: Vec<_> = answers.map(|(_, given)| given).collect();
            return if given.iter().any(|it| is_it(it)) {
                Ok(())
            } else if !is_one_room || run.recalls.get(&voter) >= Some(&3) {
                // Its answer may have arrived too late.
                continue;
            } else {
                Err(format!("it was shown {shown:?}, but {voter} had {given:?}"))
            };
        }
        let asked = run.recalls.get(&voter).copied().unwrap_or(0);
        let is_there = world.runs[voter].ended.is_none_or(|it| it > run.admitted.unwrap_or(0));
        let is_near = run.reachable.contains(&voter);
        if asked < 3 && is_there && is_near && is_one_room {
            return Err(format!("{voter} is older than others, and was asked {asked} times"));
        }
    }
    // One that came in without a history fetches that of a member which it meets soon afterwards.
    let is_belated = |given: &Snapshot| is_subsequence(&shown, given);
    let belated = run.histories.iter().filter(|(by, _)| !voters.iter().any(|it| it.by == *by));
    if shown.is_empty() || belated.into_iter().any(|(_, given)| is_belated(given)) {
        Ok(())
    } else {
        Err(format!("{shown:?} came from nobody"))
    }
}

/// Returns true if `part` is `whole` with some items, or none, left out.
fn is_subsequence(part: &[EntryId], whole: &[EntryId]) -> bool {
    let mut rest = whole.iter();
    part.iter().all(|it| rest.any(|other| other == it))
}

/// **No live member is gone** (section 11): a member is not reported as gone within G(n) of a time
/// at which it was heard, directly or by a member that says so in a page, unless it has said
/// goodbye.
pub(crate) fn no_live_member_is_gone(world: &World) -> Vec<String> {
    // Half seconds are rounded, and clocks differ.
    let slack = S;
    let too_early = world.departures.iter().filter(|it| {
        !it.had_said_goodbye && it.at - it.heard + slack < bounds::gone_after(it.members)
    });
    too_early
        .map(|it| {
            format!(
                "{} took {} for gone at {} s, which was heard at {} s ({} members)",
                it.observer,
                it.subject,
                seconds(it.at),
                seconds(it.heard),
                it.members
            )
        })
        .collect()
}

/// **Traffic is bounded** (section 18): no datagram is larger than 1,232 bytes. In the traffic
/// sample all peers together send no more than their heartbeats and the cost of the messages; and
/// if no message is said, no peer sends more than about twice its heartbeats. In a world without
/// faults no candidate gets more than 8 agreements.
pub(crate) fn traffic_is_bounded(world: &World) -> Vec<String> {
    let mut wrong = Vec::new();
    if world.largest > 1_232 {
        wrong.push(format!("a datagram has {} bytes", world.largest));
    }
    if world.is_fault_free {
        for (id, run) in world.runs.iter().enumerate() {
            let voters: HashSet<RunId> = run.agreed.iter().map(|it| it.by).collect();
            if voters.len() > 8 {
                wrong.push(format!("{} have agreed to {id}", voters.len()));
            }
        }
    }
    let Some(measured) = &world.measured else { return wrong };
    let (count, loss) = (members(world).len(), world.worst_loss);
    // A peer that is alone uses all paths.
    let paths = if count > 1 { world.paths_in_use } else { 3.0 };
    let time = measured.until - measured.from;
    let idle = bounds::idle_datagrams(count, paths, time);
    let sent: u64 = measured.datagrams.iter().sum();
    let said = measured.said as f64;
    let bound = idle * count as f64 + said * bounds::datagrams_for_message(count, paths, loss);
    if sent as f64 > bound {
        wrong.push(format!(
            "{sent} datagrams in {} s of {count} with {said} messages; {bound:.0} allowed: {:?}",
            seconds(time),
            measured.packet_counts
        ));
    }
    let bytes = bound * bounds::mean_size(world.runs.len());
    if measured.bytes as f64 > bytes {
        wrong.push(format!("{} bytes; {bytes:.0} allowed", measured.bytes));
    }
    for (id, sent) in measured.datagrams.iter().enumerate() {
        // One of them may be looking for another peer for some time after a split, and over a short
        // time there may be one more heartbeat by all three paths. The room as a whole may not send
        // more.
        if measured.said == 0 && *sent as f64 > 2.0 * idle + 3.0 {
            let time = seconds(time);
            wrong.push(format!("{id} sent {sent} idle datagrams in {time} s; {idle:.0} allowed"));
        }
    }
    wrong
}

/// **Every candidate is decided** (section 7): a program that has run for 20 s has joined or was
/// rejected, and no candidate is rejected without a reason.
pub(crate) fn every_candidate_is_decided(world: &World) -> Vec<String> {
    let mut wrong = Vec::new();
    for (id, run) in world.runs.iter().enumerate() {
        let until = run.ended.unwrap_or(world.time);
        let is_waiting = run.admitted.is_none() && run.is_running();
        if is_waiting && world.is_awake(id) && until - run.began > 20 * S {
            wrong.push(format!("{id} has not come in since {} s", seconds(run.began)));
        }
        if run.stage == Stage::Rejected && !run.heard_winning_rival {
            let is_about_it = |it: &super::observer::Objection| it.to == id;
            if !world.objections.iter().any(is_about_it) {
                wrong.push(format!("{id} was rejected, and nobody had objected"));
            }
        }
    }
    wrong
}

/// **Liars take no name** (sections 7 and 13): in a world with liars, in which the honest peers ask
/// for different names, each of them has the name that it asked for, none is rejected, and at the
/// end each member knows all other members.
pub(crate) fn liars_take_no_name(world: &World) -> Vec<String> {
    if world.liars.is_empty() {
        return Vec::new();
    }
    let mut wrong = Vec::new();
    let members = members(world);
    for (id, run) in world.runs.iter().enumerate() {
        if run.name.key() != run.asked_name.key() {
            wrong.push(format!("{id} asked for {:?} and is {:?}", run.asked_name, run.name));
        }
        if run.stage == Stage::Rejected {
            wrong.push(format!("{id} was rejected"));
        }
        let known = if run.is_in() { world.read_members(id) } else { HashSet::new() };
        let lacks = |it: &&RunId| **it != id && !known.contains(it);
        if let Some(other) = members.iter().filter(|_| run.is_in()).find(lacks) {
            wrong.push(format!("{other} is no member for {id}"));
        }
    }
    wrong
}
