import sys
from pathlib import Path

# Workers import what they run by name: the modules sparkrun_work and sparkrun_recipes in this folder.
sys.path.insert(0, str(Path(__file__).parent))
