//! First questions in the window, before the chat begins: which server, and which name. The model has
//! neither I/O nor a clock; `view` draws it, `driver` runs it on the terminal.

mod driver;
mod offer;
#[cfg(test)]
mod tests;
mod view;

use std::time::Duration;

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

pub use self::driver::{Entered, ask};
pub use self::offer::{Lock, Offer};
use super::composer::{Composer, ComposerOutcome};
use super::text::Theme;
use crate::model::{NameKey, Username};
use crate::text;
use crate::ui::impossible_name_text;
use crate::ui::safe::safe_line;

/// Time after the first server was found in which others may answer, too: the only one is taken then.
/// Responders delay their answers at random.
const FURTHER_ANSWERS_WAIT: Duration = Duration::from_millis(1_200);

/// What is asked.
#[derive(Clone, Debug, Default)]
pub struct Questions {
    /// Program that asks.
    pub program: &'static str,
    /// Which server; `None`: it is known.
    pub server: Option<ServerQuestion>,
    /// Which name; `None`: it is known.
    pub name: Option<NameDefault>,
}

/// Question for a server.
#[derive(Clone, Debug)]
pub struct ServerQuestion {
    /// Server of the last time; `None`: there was none.
    pub last: Option<ServerChoice>,
    /// Returns why a text cannot be the address of a server; nothing if it can.
    pub check: fn(&str) -> Result<(), String>,
}

/// What is suggested as a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameDefault {
    /// Name that an empty line takes.
    pub name: Username,
    /// Why another one cannot be the name; `None`: none was tried.
    pub problem: Option<String>,
}

/// Server that was chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerChoice {
    /// The one with this [`Offer::key`].
    Found(String),
    /// The one at this address, as it was typed.
    Typed(String),
}

/// Answers to the questions that were asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answers {
    /// Server; `None`: it was not asked for.
    pub server: Option<ServerChoice>,
    /// Name; `None`: it was not asked for.
    pub name: Option<String>,
}

/// Something that has happened.
#[derive(Clone, Debug)]
pub enum StartInput {
    /// A key was pressed.
    Key(KeyEvent),
    /// Text was pasted.
    Paste(String),
    /// A server was found.
    Found(Offer),
    /// Those are all servers that answer at the moment.
    Searched(Vec<Offer>),
    /// Servers cannot be looked for, for this reason.
    SearchFailed(String),
    /// Time has passed.
    Tick,
    /// The program is to end.
    End,
}

/// How the questions have ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All are answered.
    Answered(Answers),
    /// The user does not want to chat.
    Left,
}

/// Model of the questions.
pub struct Start {
    /// What is asked.
    questions: Questions,
    /// Servers that were found, in the order in which they were.
    offers: Vec<Offer>,
    /// Index of the selected entry of the list.
    selected: usize,
    /// Line that the user is typing.
    composer: Composer,
    /// What was wrong with the last answer.
    problem: Option<String>,
    /// True once a search for servers is complete.
    is_searched: bool,
    /// Time of the program's clock at which the first server was found; `None`: none was.
    found_at: Option<Duration>,
    /// True once the user has pressed a key: then nothing is taken without Enter.
    is_choosing: bool,
    /// Answers so far.
    answers: Answers,
    /// Colours.
    theme: Theme,
    /// How it has ended; `None`: a question is open.
    outcome: Option<Outcome>,
}

impl Start {
    /// Asks the first question.
    #[must_use]
    pub fn new(questions: Questions, theme: Theme) -> Self {
        let problem = questions.name.as_ref().and_then(|it| it.problem.clone());
        let mut start = Self {
            problem: problem.filter(|_| questions.server.is_none()),
            questions,
            offers: Vec::new(),
            selected: 0,
            composer: Composer::default(),
            is_searched: false,
            found_at: None,
            is_choosing: false,
            answers: Answers::default(),
            theme,
            outcome: None,
        };
        start.finish_if_answered();
        start
    }

    /// Returns how it has ended; `None` while a question is open.
    #[must_use]
    pub const fn outcome(&self) -> Option<&Outcome> {
        self.outcome.as_ref()
    }

    /// Takes something that has happened at this time of the program's clock.
    pub fn handle(&mut self, now: Duration, input: StartInput) {
        match input {
            StartInput::Key(key) if key.kind != KeyEventKind::Release => self.handle_key(key),
            StartInput::Key(_) => {}
            StartInput::Paste(text) => {
                self.is_choosing = true;
                self.composer.insert(text.lines().next().unwrap_or_default());
            }
            StartInput::Found(offer) => self.add(now, offer),
            StartInput::Searched(offers) => {
                let selected = self.entry(self.selected);
                let is_there = |it: &Offer| offers.iter().any(|offer| offer.key == it.key);
                self.offers.retain(is_there);
                if offers.is_empty() {
                    self.found_at = None;
                }
                offers.into_iter().for_each(|it| self.add(now, it));
                self.is_searched = true;
                // The mark stays at its server; if that is gone, Enter takes the first one.
                let mut entries = (0..self.entry_count()).map(|it| self.entry(it));
                self.selected = entries.position(|it| it == selected).unwrap_or(0);
            }
            StartInput::SearchFailed(reason) => {
                self.is_searched = true;
                self.problem = Some(text!("start-no-search", reason = safe_line(&reason)));
            }
            StartInput::Tick => {}
            StartInput::End => self.outcome = Some(Outcome::Left),
        }
        self.take_only_one(now);
    }

    /// Adds a server, or replaces what is known about it. Takes the one of the last time at once.
    fn add(&mut self, now: Duration, offer: Offer) {
        let is_last = self.last() == Some(&ServerChoice::Found(offer.key.clone()));
        self.found_at = self.found_at.or(Some(now));
        match self.offers.iter_mut().find(|it| it.key == offer.key) {
            Some(known) => *known = offer.clone(),
            None => self.offers.push(offer.clone()),
        }
        if is_last && !self.is_choosing {
            self.choose(ServerChoice::Found(offer.key));
        }
    }

    /// Takes the only server that was found, if others have had time to answer, and the user neither
    /// was on another one the last time nor has begun to choose.
    fn take_only_one(&mut self, now: Duration) {
        let is_time = self.found_at.is_some_and(|it| now >= it + FURTHER_ANSWERS_WAIT);
        if let ([only], true, false, None) =
            (self.offers.as_slice(), is_time, self.is_choosing, self.last())
        {
            self.choose(ServerChoice::Found(only.key.clone()));
        }
    }

    /// Returns true while the server is asked for.
    fn asks_server(&self) -> bool {
        self.questions.server.is_some() && self.answers.server.is_none()
    }

    /// Returns the server of the last time; `None` if there was none, or it is not asked for.
    fn last(&self) -> Option<&ServerChoice> {
        self.questions.server.as_ref()?.last.as_ref()
    }

    /// Returns the address of the last time, if it was typed: the first entry of the list.
    fn last_typed(&self) -> Option<&str> {
        match self.last() {
            Some(ServerChoice::Typed(address)) => Some(address),
            _ => None,
        }
    }

    /// Returns the number of entries of the list.
    fn entry_count(&self) -> usize {
        self.offers.len() + usize::from(self.last_typed().is_some())
    }

    /// Returns the server that an entry of the list stands for; `None` if there is no such entry.
    fn entry(&self, index: usize) -> Option<ServerChoice> {
        let typed = self.last_typed().map(|it| ServerChoice::Typed(it.to_owned()));
        let found = self.offers.iter().map(|it| ServerChoice::Found(it.key.clone()));
        typed.into_iter().chain(found).nth(index)
    }

    /// Carries out a key. An answer has one line, so every key that would begin another one ends it.
    fn handle_key(&mut self, key: KeyEvent) {
        self.is_choosing = true;
        let is_control_j = key.code == KeyCode::Char('j') && key.modifiers == KeyModifiers::CONTROL;
        let key = match key.code {
            KeyCode::Enter => KeyEvent::new(KeyCode::Enter, KeyModifiers::NONE),
            _ if is_control_j => KeyEvent::new(KeyCode::Enter, KeyModifiers::NONE),
            _ => key,
        };
        let last = self.entry_count().saturating_sub(1);
        match key.code {
            KeyCode::Up if self.asks_server() => self.selected = self.selected.saturating_sub(1),
            KeyCode::Down if self.asks_server() => self.selected = (self.selected + 1).min(last),
            KeyCode::Esc => self.outcome = Some(Outcome::Left),
            _ => match self.composer.handle_key(key, &|_: &str| Vec::new()) {
                ComposerOutcome::Submit(line) if self.asks_server() => self.answer_server(&line),
                ComposerOutcome::Submit(line) => self.answer_name(&line),
                ComposerOutcome::Unused(key) => {
                    let is_end = matches!(key.code, KeyCode::Char('c' | 'd'));
                    if is_end && key.modifiers == KeyModifiers::CONTROL {
                        self.outcome = Some(Outcome::Left);
                    }
                }
                ComposerOutcome::OpenEditor(_) | ComposerOutcome::AskPaste { .. } => {
                    self.composer.confirm_paste(false);
                }
                ComposerOutcome::Changed => self.problem = None,
            },
        }
    }

    /// Takes a line as the server: the selected one if it is empty, otherwise the one with this
    /// number or name, or at this address.
    fn answer_server(&mut self, line: &str) {
        let text = line.trim();
        let number = text.parse::<usize>().ok();
        let chosen = match (text, number) {
            ("", _) => self.entry(self.selected).ok_or_else(|| text!("start-none-yet")),
            (_, Some(number)) => number
                .checked_sub(1)
                .and_then(|it| self.entry(it))
                .ok_or_else(|| text!("start-no-number", number = number)),
            (text, None) => self.named(text),
        };
        match chosen {
            Ok(server) => self.choose(server),
            Err(problem) => self.problem = Some(safe_line(&problem)),
        }
    }

    /// Returns the server with this name or host, or else the one at this address.
    ///
    /// # Errors
    /// Several servers have the name, or it is no address. The error text is for the user.
    fn named(&self, text: &str) -> Result<ServerChoice, String> {
        let key = NameKey::of(text);
        let mut named = self.offers.iter().filter(|it| it.is_called(&key));
        match (named.next(), named.next()) {
            (Some(only), None) => Ok(ServerChoice::Found(only.key.clone())),
            (Some(_), Some(_)) => Err(text!("start-several", name = safe_line(text))),
            (None, _) => {
                let check = self.questions.server.as_ref().map(|it| it.check);
                check.map_or(Ok(()), |it| it(text))?;
                Ok(ServerChoice::Typed(text.to_owned()))
            }
        }
    }

    /// Takes a server as the answer, and asks for the name if it is to be asked for.
    fn choose(&mut self, server: ServerChoice) {
        if !self.asks_server() {
            return;
        }
        self.answers.server = Some(server);
        self.composer.clear();
        self.problem = self.questions.name.as_ref().and_then(|it| it.problem.clone());
        self.finish_if_answered();
    }

    /// Takes a line as the name, or says why it cannot be one.
    fn answer_name(&mut self, line: &str) {
        let Some(default) = &mut self.questions.name else { return };
        let text = line.trim();
        match Username::new(text) {
            _ if text.is_empty() => self.answers.name = Some(default.name.as_str().to_owned()),
            Ok(name) => self.answers.name = Some(name.as_str().to_owned()),
            Err(error) => {
                self.problem =
                    Some(format!("{}: {}", safe_line(text), impossible_name_text(error)));
                default.name = Username::from_text(text);
            }
        }
        self.finish_if_answered();
    }

    /// Ends if all questions are answered.
    fn finish_if_answered(&mut self) {
        let has_name = self.questions.name.is_none() || self.answers.name.is_some();
        if !self.asks_server() && has_name && self.outcome.is_none() {
            self.outcome = Some(Outcome::Answered(self.answers.clone()));
        }
    }

    /// Returns what stands before the line that the user is typing.
    fn prompt(&self) -> String {
        match &self.questions.name {
            Some(default) if !self.asks_server() => {
                text!("name-prompt", suggestion = default.name.as_str()) + " "
            }
            _ => format!("{}> ", text!("prompt-server")),
        }
    }

    /// Returns the question in words.
    fn question(&self) -> String {
        if self.asks_server() {
            return text!("start-which-server");
        }
        let default = self.questions.name.as_ref().map_or("", |it| it.name.as_str());
        let default = text!("start-name-default", name = default);
        format!("{} {} {default}", text!("start-name"), text!("name-rule"))
    }

    /// Returns what the user is to know about the list of servers.
    fn note(&self) -> Option<String> {
        if !self.asks_server() {
            return None;
        }
        Some(match (self.last(), self.offers.is_empty()) {
            (_, true) if !self.is_searched => text!("start-looking"),
            (_, true) => text!("start-none"),
            (Some(ServerChoice::Found(_)), false) => text!("start-last-silent"),
            _ => return None,
        })
    }
}
