//! What does a container's process do? Read from its command; see `manifest`.

use crate::luck::Luck;
use firstlight_pod::Millis;

/// A program of the imaginary kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Program {
    /// Ends with this code within so long.
    End(i32, Millis),
    /// Ends with 1 so many times in a hundred, else with 0.
    Toss(u64, Millis),
    /// The same while things go wrong; where all is calm it runs.
    Flaky(u64, Millis),
    /// Runs until it is asked to stop.
    Run,
    /// Runs until it is killed.
    Stubborn,
}

impl Program {
    /// The program of this command; one that is not known runs.
    pub(crate) fn read(command: &[String]) -> Program {
        let words: Vec<&str> = command.iter().map(String::as_str).collect();
        let number = |word: &str| word.parse::<u64>().unwrap_or_default();
        match words.as_slice() {
            ["end", code, ms] => Program::End(code.parse().unwrap_or_default(), Millis(number(ms))),
            ["toss", percent, ms] => Program::Toss(number(percent), Millis(number(ms))),
            ["flaky", percent, ms] => Program::Flaky(number(percent), Millis(number(ms))),
            ["stubborn"] => Program::Stubborn,
            _ => Program::Run,
        }
    }

    /// How it ends by itself, and when. Nothing fails where all is calm.
    pub(crate) fn ends(self, calm: bool, luck: &mut Luck) -> Option<(Millis, i32)> {
        match self {
            Program::End(code, most) => Some((within(most, luck), code)),
            Program::Toss(percent, most) => {
                let fails = luck.happens(percent * 10) && !calm;
                Some((within(most, luck), i32::from(fails)))
            }
            Program::Flaky(_, _) if calm => None,
            Program::Flaky(percent, most) => Some((within(most, luck), i32::from(luck.happens(percent * 10)))),
            Program::Run | Program::Stubborn => None,
        }
    }

    /// How it ends when it is asked to stop, if it does.
    pub(crate) fn stops(self, luck: &mut Luck) -> Option<(Millis, i32)> {
        match self {
            Program::Stubborn => None,
            Program::End(..) | Program::Toss(..) | Program::Flaky(..) | Program::Run => {
                Some((luck.about(Millis(300)), *luck.one(&[0, 143, 1])))
            }
        }
    }
}

fn within(most: Millis, luck: &mut Luck) -> Millis {
    Millis(luck.below(most.0.max(1)))
}
