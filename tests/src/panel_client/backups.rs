//! What a person does with the backup stick of an open hub.

use super::{Button, PanelClient, PanelError};

impl PanelClient {
    /// On the screen about backups, waits until it says this.
    ///
    /// # Errors
    /// As [`PanelClient::wait_until`].
    pub async fn wait_for_backup(&mut self, says: &str) -> Result<(), PanelError> {
        self.wait_until(|screen| screen.name == "backup" && screen.lines.iter().any(|line| line.contains(says)))
            .await?;
        Ok(())
    }

    /// On the screen about backups, has the stick that is in made the backup stick, and waits there until everything is on
    /// it.
    ///
    /// # Errors
    /// As [`PanelClient::wait_until`].
    pub async fn make_backup_stick(&mut self, pin: &str) -> Result<(), PanelError> {
        self.wait_for_backup("Use stick").await?;
        self.press(Button::Ok).await?;
        self.wait_for("backup-stick").await?;
        self.take("Yes").await?;
        // Whoever walks up to an open hub must not be able to take the records away.
        self.wait_for("ask-pin").await?;
        self.type_digits(pin).await?;
        self.press(Button::Ok).await?;
        self.wait_for("errand").await?;
        self.press(Button::Ok).await?;
        self.wait_for("home").await?;
        self.choose("Backup").await?;
        self.wait_for_backup("up to date").await
    }
}
