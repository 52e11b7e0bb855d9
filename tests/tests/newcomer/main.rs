//! Somebody who has never seen the hub does every task of the README's table, by what the screen shows, with up, down and
//! ok alone, and in as many presses as the table tells: in each of the panel's languages, for nothing here goes by words.

mod day;
mod person;
mod places;
#[allow(dead_code, reason = "other tests play more of it")]
#[path = "../support/played_disk.rs"]
mod played_disk;

/// All that the newcomer does, by somebody who reads this language.
macro_rules! newcomer {
    ($module:ident, $language:ident) => {
        mod $module {
            use super::person::Language;
            use super::{day, places};

            #[tokio::test(flavor = "multi_thread")]
            async fn does_every_task_of_the_readme() {
                day::every_task(Language::$language).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn gets_in_again_with_the_recovery_code() {
                day::recovery_code(Language::$language).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn finds_the_way_where_there_was_none() {
                places::on_a_desk(Language::$language).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn finds_the_way_among_disks() {
                places::at_a_box(Language::$language).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn finds_the_way_to_the_time() {
                places::without_a_clock(Language::$language).await;
            }
        }
    };
}

newcomer!(in_english, English);
newcomer!(in_french, French);
newcomer!(in_spanish, Spanish);
newcomer!(in_arabic, Arabic);
