"""Stand-ins of the scripts that train_table.py starts, which take no time."""

# Writes its arguments into the run folder; fails for task BAD, and for SLOW until it is killed.
SCRIPT = """
import json, sys, time
from pathlib import Path
from cosent_tf.cli import Settings
from cosent_tf.places import find_data, find_encoder
from cosent_tf.run.config import checksums
from cosent_tf.screen import print_next
SETTINGS = Settings(epochs=2, batch_size=16, lr=1e-3, maxlen=40, maxlen_pawsx=40)

def main():
    from train_table import RunName, settings_of
    flags = dict(zip(sys.argv[1::2], sys.argv[2::2]))
    method = 'cosent' if 'cosent' in sys.argv[0] else 'interact'
    name = '{--task}.{--model}.{}.seed{--seed}'.format(method, **flags)
    folder = Path(flags['--runs_dir']) / name
    folder.mkdir(parents=True, exist_ok=True)
    settings = settings_of(RunName(flags['--task'], 'bert', method, 42), sys.argv[1:])
    find_data(settings)
    find_encoder(settings)
    config = {'arguments': vars(settings), **checksums(settings), 'flags': sys.argv[1:]}
    (folder / 'config.json').write_text(json.dumps(config))
    (folder / 'best.weights.h5').write_text('')
    if flags['--task'] == 'SLOW':
        (folder / 'state.h5').write_text('')
        (folder / 'running').write_text('')
        time.sleep(60)
    if flags['--task'] == 'BAD':
        sys.exit(1)
    (folder / 'metrics.json').write_text('{"training_seconds": 100}')
    print_next('the next command')

if __name__ == '__main__':
    main()
"""
# Fetches what it is asked for.
DOWNLOAD = """
import shutil, sys
print('download.py', *sys.argv[1:], flush=True)
shutil.copytree('elsewhere', 'data/senteval_cn', dirs_exist_ok=True)
"""
