"""The top floor: operators written for people."""
