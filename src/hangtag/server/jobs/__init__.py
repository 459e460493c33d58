"""Jobs: many photos, labelled in the background, with results that outlive the process."""
