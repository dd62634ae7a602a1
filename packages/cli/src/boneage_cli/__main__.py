"""`python -m boneage_cli`, and what spark-submit is given."""

from boneage_cli.main import main

if __name__ == "__main__":
    main()
